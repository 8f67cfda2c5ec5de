// What a system call leaves behind: every register and the red zone below the stack pointer stay, except
// rax (the result), rcx (the address behind the instruction) and r11 (the flags). Called often enough that
// an emulator which replaces hot `syscall` instructions has done so, and while signals come in.
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct state {
  uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, flags;  // 0..127
  uint64_t zone[16];                                                                        // 128..255
  uint8_t xmm[16][16];                                                                      // 256..511
};

// run_NAME(state*): loads all of it, makes the call of NAME's pattern, stores all of it.
// The state's address is kept at 0(%rsp), above the red zone that is checked.
#define LOAD                                                                                          \
  "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n push %rdi\n"               \
  ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movdqu 256+16*\\n(%rdi),%xmm\\n\n"                  \
  " mov 128+8*\\n(%rdi),%rax\n mov %rax,-128+8*\\n(%rsp)\n .endr\n"                                   \
  "mov (%rdi),%rax\n mov 8(%rdi),%rbx\n mov 16(%rdi),%rcx\n mov 24(%rdi),%rdx\n mov 32(%rdi),%rsi\n"  \
  "mov 48(%rdi),%rbp\n mov 56(%rdi),%r8\n mov 64(%rdi),%r9\n mov 72(%rdi),%r10\n mov 80(%rdi),%r11\n" \
  "mov 88(%rdi),%r12\n mov 96(%rdi),%r13\n mov 104(%rdi),%r14\n mov 112(%rdi),%r15\n mov 40(%rdi),%rdi\n"
#define STORE                                                                                             \
  "xchg %rdi,(%rsp)\n mov %rax,(%rdi)\n mov %rbx,8(%rdi)\n mov %rcx,16(%rdi)\n mov %rdx,24(%rdi)\n"       \
  "mov %rsi,32(%rdi)\n mov %rbp,48(%rdi)\n mov %r8,56(%rdi)\n mov %r9,64(%rdi)\n mov %r10,72(%rdi)\n"     \
  "mov %r11,80(%rdi)\n mov %r12,88(%rdi)\n mov %r13,96(%rdi)\n mov %r14,104(%rdi)\n mov %r15,112(%rdi)\n" \
  "mov (%rsp),%rax\n mov %rax,40(%rdi)\n"                                                                 \
  ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movdqu %xmm\\n,256+16*\\n(%rdi)\n"                      \
  " mov -128+8*\\n(%rsp),%rax\n mov %rax,128+8*\\n(%rdi)\n .endr\n"                                       \
  "pushfq\n pop 120(%rdi)\n"                                                                              \
  "pop %rdi\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"

__asm__(
    ".text\n"
    ".globl run_before, before_end, run_after, after_end, run_plain, plain_end\n"
    "run_before:\n" LOAD "mov $39,%eax\n syscall\nbefore_end:\n" STORE "run_after:\n" LOAD
    "syscall\nafter_end: cmp $-4095,%rax\n" STORE "run_plain:\n" LOAD "syscall\nplain_end: nop\n" STORE);
void run_before(struct state*), run_after(struct state*), run_plain(struct state*);
extern char before_end[], after_end[], plain_end[];

static volatile sig_atomic_t signals;
static volatile int stop;
static void handler(int sig) { signals += sig != 0; }

static void* sender(void* main_thread) {
  while (!stop) {
    pthread_kill(*(pthread_t*)main_thread, SIGUSR1);
    usleep(100);
  }
  return NULL;
}

static int check(const char* name, void (*run)(struct state*), const char* end, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    struct state before, after;
    uint8_t* raw = (uint8_t*)&before;
    for (size_t j = 0; j < sizeof before; ++j) raw[j] = (uint8_t)(i * 7 + j * 13 + 1);
    before.rax = SYS_getpid;
    after = before;
    run(&after);
    int wrong = after.rax != (uint64_t)getpid() || after.rcx != (uint64_t)end || (after.r11 & 0x200) == 0 ||
                (after.r11 & 0xfffffffffffff000ULL) != 0;
    before.rax = after.rax, before.rcx = after.rcx, before.r11 = after.r11, before.flags = after.flags;
    if (wrong || memcmp(&before, &after, sizeof before) != 0) {
      printf("%s: round %d: something changed; rax %s, rcx %s\n", name, i,
             after.rax == (uint64_t)getpid() ? "right" : "wrong",
             after.rcx == (uint64_t)end ? "right" : "wrong");
      for (size_t j = 0; j < sizeof before; ++j)
        if (raw[j] != ((uint8_t*)&after)[j]) {
          printf("  first at byte %zu\n", j);
          break;
        }
      return 1;
    }
  }
  printf("%s: all as it should be\n", name);
  return 0;
}

static int all(const char* when, int rounds) {
  printf("%s\n", when);
  return check("mov; syscall", run_before, before_end, rounds) |
         check("syscall; cmp", run_after, after_end, rounds) | check("syscall", run_plain, plain_end, rounds);
}

int main(void) {
  int bad = all("alone", 200);
  __asm__ volatile("mov %0,%%gs" : : "r"(0));
  bad |= all("with another GS", 20);
  signal(SIGUSR1, handler);
  pthread_t self = pthread_self(), t;
  pthread_create(&t, NULL, sender, &self);
  while (signals == 0) usleep(100);
  bad |= all("while signals come in", 2000);
  stop = 1;
  pthread_join(t, NULL);
  return bad;
}
