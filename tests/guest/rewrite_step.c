// Single steps (trap flag) over hot system calls: one trap after each of the program's own instructions, at
// its address, and none elsewhere. A handler that runs at each of them must find the registers in order.
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

// long NAME(int nr): the pattern of its name.
__asm__(
    ".text\n"
    ".globl before, after, both, jumped, code_end\n"
    "before: mov $39,%eax\n syscall\n ret\n"
    "after: mov %edi,%eax\n syscall\n cmp $-4095,%rax\n jae 1f\n1: ret\n"
    "both: mov $39,%eax\n syscall\n cmp $-4095,%rax\n mov $39,%eax\n syscall\n mov %rax,%rdx\n ret\n"
    "jumped: mov %edi,%eax\n jmp 2f\n mov $39,%eax\n2: syscall\n ret\n"
    "code_end:\n"
    // void stepped(long (*f)(int), int nr)
    ".globl stepped\n"
    "stepped: mov %rdi,%rdx\n mov %esi,%edi\n mov %rsp,%rsi\n mov $0x1234,%r10\n"
    " pushfq\n orq $0x100,(%rsp)\n popfq\n call *%rdx\n pushfq\n andq $~0x100,(%rsp)\n popfq\n ret\n");
long before(int), after(int), both(int), jumped(int);
void stepped(long (*f)(int), int nr);
extern char code_end[];

enum { MAX = 4096 };
static int offsets[MAX], count, wrong;
static uint64_t base;

static void on_trap(int sig, siginfo_t* info, void* ctx) {
  (void)sig;
  greg_t* r = ((ucontext_t*)ctx)->uc_mcontext.gregs;
  uint64_t rip = (uint64_t)r[REG_RIP];
  if (rip >= base && rip < (uint64_t)code_end) {
    // rsp is 8 below the caller's, which is in rsi; r10 is a constant.
    if (r[REG_R10] != 0x1234 || r[REG_RSP] + 8 != r[REG_RSI]) ++wrong;
    if (count < MAX) offsets[count++] = (int)(rip - base);
  } else if (rip < (uint64_t)stepped || rip > (uint64_t)stepped + 64) {
    ++wrong;
  }
  if (info->si_code != TRAP_TRACE && info->si_code != TRAP_BRKPT) ++wrong;
}

static void run(const char* name, long (*f)(int)) {
  for (int i = 0; i < 300; ++i)
    if (f(SYS_getpid) != getpid()) printf("%s: wrong result\n", name);
  base = (uint64_t)f;
  for (int round = 0; round < 3; ++round) {
    count = wrong = 0;
    stepped(f, SYS_getpid);
    printf("%s: %d steps, %d wrong:", name, count, wrong);
    for (int i = 0; i < count; ++i) printf(" %d", offsets[i]);
    printf("\n");
  }
}

static void* sleeper(void* arg) {
  for (;;) pause();
  return arg;
}

int main(void) {
  struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &sa, NULL);
  run("before", before);
  run("after", after);
  run("both", both);
  run("jumped", jumped);
  // The way into the stub is another one for threads that share a process.
  pthread_t t;
  pthread_create(&t, NULL, sleeper, NULL);
  run("before", before);
  run("after", after);
  return 0;
}
