// What a handler finds when it is entered, and what its end leaves behind, if the signal comes from a system
// call of the thread itself: often enough that an emulator which replaces hot `syscall` instructions has done
// so.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ROUNDS 40
#define REGS 16  // in the order of the machine: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, ...
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

static struct {
  uint64_t in[REGS], entered[REGS], out[REGS];
  uint64_t entered_flags, out_flags;
  uint8_t xmm_in[16 * 16], xmm_out[16 * 16];
  uint8_t fx[512] __attribute__((aligned(16)));  // as the handler finds it
} s;

// call_it: loads s.in (all but rsp) and xmm_in, makes the system call, stores what is left.
// entry: stores what a handler is entered with.
__asm__(
    ".text\n.globl call_it, call_end, entry\n"
    "call_it:\n push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    " lea xmm_in_at(%rip),%rax\n mov (%rax),%rax\n"
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movdqu 16*\\n(%rax),%xmm\\n\n .endr\n"
    " mov in_at(%rip),%rax\n mov 16(%rax),%rdx\n mov 24(%rax),%rbx\n mov 40(%rax),%rbp\n mov 48(%rax),%rsi\n"
    " mov 56(%rax),%rdi\n mov 64(%rax),%r8\n mov 72(%rax),%r9\n mov 80(%rax),%r10\n mov 96(%rax),%r12\n"
    " mov 104(%rax),%r13\n mov 112(%rax),%r14\n mov 120(%rax),%r15\n"
    " pushq $0x41\n popfq\n"  // carry and zero: handlers must not lose them
    " mov $0x1122334455667788,%rcx\n mov %rcx,-8(%rsp)\n mov $0x2233445566778899,%rcx\n mov %rcx,-128(%rsp)\n"
    " mov $234,%eax\n syscall\n"
    "call_end:\n"
    " xchg %rax,out_at(%rip)\n"
    " mov %rcx,8(%rax)\n mov %rdx,16(%rax)\n mov %rbx,24(%rax)\n mov %rsp,32(%rax)\n mov %rbp,40(%rax)\n"
    " mov %rsi,48(%rax)\n mov %rdi,56(%rax)\n mov %r8,64(%rax)\n mov %r9,72(%rax)\n mov %r10,80(%rax)\n"
    " mov %r11,88(%rax)\n mov %r12,96(%rax)\n mov %r13,104(%rax)\n mov %r14,112(%rax)\n mov %r15,120(%rax)\n"
    " xchg %rax,out_at(%rip)\n mov out_at(%rip),%rcx\n mov %rax,(%rcx)\n"
    " mov xmm_out_at(%rip),%rax\n"
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movdqu %xmm\\n,16*\\n(%rax)\n .endr\n"
    " xor %eax,%eax\n mov $0x1122334455667788,%rcx\n cmp %rcx,-8(%rsp)\n jne 1f\n"
    " mov $0x2233445566778899,%rcx\n cmp %rcx,-128(%rsp)\n jne 1f\n inc %eax\n"
    "1: pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
    "entry:\n xchg %rax,entered_at(%rip)\n"
    " mov %rcx,8(%rax)\n mov %rdx,16(%rax)\n mov %rbx,24(%rax)\n mov %rsp,32(%rax)\n mov %rbp,40(%rax)\n"
    " mov %rsi,48(%rax)\n mov %rdi,56(%rax)\n mov %r8,64(%rax)\n mov %r9,72(%rax)\n mov %r10,80(%rax)\n"
    " mov %r11,88(%rax)\n mov %r12,96(%rax)\n mov %r13,104(%rax)\n mov %r14,112(%rax)\n mov %r15,120(%rax)\n"
    " pushfq\n pop %rcx\n mov flags_at(%rip),%rdx\n mov %rcx,(%rdx)\n"
    " mov fx_at(%rip),%rcx\n fxsave64 (%rcx)\n"
    " xchg %rax,entered_at(%rip)\n mov entered_at(%rip),%rcx\n mov %rax,(%rcx)\n"
    " mov 16(%rcx),%rdx\n jmp in_handler\n");
int call_it(void);  // 1: the red zone is whole
void entry(int), in_handler(int, siginfo_t*, void*);
extern char call_end[];
uint64_t *in_at = s.in, *out_at = s.out, *entered_at = s.entered, *flags_at = &s.entered_flags;
uint8_t *xmm_in_at = s.xmm_in, *xmm_out_at = s.xmm_out, *fx_at = s.fx;

static int wrong;
static void expect(int good, const char* what) {
  if (!good && wrong++ < 10) printf("wrong: %s\n", what);
}

static int depth, most_depth, handled;
static uint64_t altstack_end;
static sigjmp_buf out;

void in_handler(int sig, siginfo_t* si, void* context) {
  const ucontext_t* uc = context;
  const greg_t* g = uc->uc_mcontext.gregs;
  static const uint8_t zero[256];
  ++handled;
  if (++depth > most_depth) most_depth = depth;
  expect(s.entered[RAX] == 0 && s.entered[RDI] == (uint64_t)sig, "rax, rdi");
  expect(s.entered[RSI] == (uint64_t)si && s.entered[RDX] == (uint64_t)uc, "rsi, rdx");
  expect(s.entered[RCX] == (uint64_t)call_end && (uint64_t)g[REG_RCX] == (uint64_t)call_end, "rcx");
  expect(s.entered[RBX] == s.in[RBX] && s.entered[RBP] == s.in[RBP], "rbx, rbp");
  expect(memcmp(&s.entered[8], &s.in[8], 3 * 8) == 0 && memcmp(&s.entered[12], &s.in[12], 4 * 8) == 0,
         "r8 to r15");
  expect(s.entered[11] == (uint64_t)g[REG_R11] && (g[REG_R11] & 0x41) == 0x41, "r11");
  expect(s.entered[RSP] % 16 == 8 && s.entered[RSP] + 8 == (uint64_t)uc, "rsp");
  expect((s.entered_flags & 0x500) == 0 && (s.entered_flags & 0x41) == 0x41, "flags");
  expect(memcmp(s.fx + 160, zero, 256) == 0, "vector registers");
  expect(*(uint16_t*)s.fx == 0x37f && *(uint32_t*)(s.fx + 24) == 0x1f80, "control words");
  expect(g[REG_RIP] == (greg_t)call_end && g[REG_RAX] == 0 && (g[REG_EFL] & 0x41) == 0x41,
         "rip, rax of the frame");
  expect((uint64_t)g[REG_RBX] == s.in[RBX] && (uint64_t)g[REG_RSI] == s.in[RSI], "rbx, rsi of the frame");
  expect((g[REG_CSGSFS] & 0xffff) == 0x33 && (uint64_t)g[REG_CSGSFS] >> 48 == 0x2b, "selectors");
  expect(uc->uc_link == NULL && (uc->uc_flags & 6) == 6, "head of the frame");
  const uint8_t* fp = (const uint8_t*)uc->uc_mcontext.fpregs;
  expect((uint64_t)fp % 16 == 0 && memcmp(fp + 160, s.xmm_in, 256) == 0, "vector registers of the frame");
  const uint32_t* sw = (const uint32_t*)(fp + 464);
  if ((uc->uc_flags & 1) != 0) {
    expect((uint64_t)fp % 64 == 0 && sw[0] == 0x46505853 && sw[4] + 4 == sw[1], "size of the FP state");
    expect(*(uint32_t*)(fp + sw[4]) == 0x46505845, "its end");
    expect((*(uint64_t*)(fp + 512) & 3) == 3 && memcmp(fp + 520, zero, 56) == 0, "its header");
  }
  expect(si->si_signo == sig && si->si_code == SI_TKILL && si->si_pid == getpid(), "siginfo");
  if (altstack_end != 0) expect(altstack_end - (uint64_t)uc < 65536, "alternate stack");
  // Spoils what the end has to bring back.
  __asm__ volatile("pcmpeqd %%xmm0,%%xmm0; pcmpeqd %%xmm9,%%xmm9; fninit; fldpi" ::: "xmm0", "xmm9");
  --depth;
}

static void prepare(int round, int sig) {
  for (int i = 0; i < REGS; ++i) s.in[i] = 0x0101010101010101u * (unsigned)(i + round) + (unsigned)i;
  for (int i = 0; i < 256; ++i) s.xmm_in[i] = (uint8_t)(i * 3 + round);
  s.in[RDI] = (uint64_t)getpid(), s.in[RSI] = (uint64_t)syscall(SYS_gettid), s.in[RDX] = (uint64_t)sig;
}

static void rounds(const char* name, int flags, int count) {
  wrong = handled = most_depth = 0;
  struct sigaction sa = {.sa_handler = entry, .sa_flags = SA_SIGINFO | flags};
  sigaction(SIGUSR1, &sa, NULL);
  for (int i = 0; i < count; ++i) {
    prepare(i, SIGUSR1);
    expect(call_it(), "red zone");
    expect(s.out[RAX] == 0 && s.out[RCX] == (uint64_t)call_end && (s.out[11] & 0x41) == 0x41, "result");
    expect(memcmp(&s.out[RDI], &s.in[RDI], 4 * 8) == 0 && memcmp(&s.out[12], &s.in[12], 4 * 8) == 0 &&
               s.out[RBX] == s.in[RBX] && s.out[RBP] == s.in[RBP] && s.out[RDX] == s.in[RDX],
           "registers afterwards");
    expect(memcmp(s.xmm_in, s.xmm_out, 256) == 0, "vector registers afterwards");
  }
  printf("%s: %d handled, wrong %d\n", name, handled, wrong);
}

static volatile int faults, fault_code, fault_sig;
static void on_fault(int sig, siginfo_t* si, void* context) {
  (void)context;
  ++faults;
  fault_sig = sig;
  fault_code = si->si_code;
  siglongjmp(out, 1);
}

static char order[8 * ROUNDS];
static void note(int sig) {
  const size_t n = strlen(order);
  order[n] = sig == SIGUSR1 ? '1' : '2';
}

// A frame that cannot be written.
static void without_stack(void) {
  struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGSEGV, &sa, NULL);
  signal(SIGUSR1, note);
  const pid_t pid = getpid(), tid = (pid_t)syscall(SYS_gettid);
  for (volatile int i = 0; i < ROUNDS; ++i) {
    if (sigsetjmp(out, 1) != 0) continue;
    __asm__ volatile("mov %%rsp,%%r12; mov $4096,%%esp; mov $234,%%eax; syscall; mov %%r12,%%rsp"
                     :
                     : "D"(pid), "S"(tid), "d"(SIGUSR1)
                     : "rax", "rcx", "r11", "r12", "memory");
  }
  printf("no stack: %d faults, SIGSEGV %d, code %x\n", faults, fault_sig == SIGSEGV, fault_code);
}

static volatile int mode;
static void edit(int sig, siginfo_t* si, void* context) {
  (void)sig, (void)si;
  ucontext_t* uc = context;
  uint8_t* fp = (uint8_t*)uc->uc_mcontext.fpregs;
  const uint32_t xstate_size = *(uint32_t*)(fp + 480);
  if (mode == 3) uc->uc_mcontext.fpregs->mxcsr |= 1u << 31;
  if (mode == 4) fp[512 + 7] |= 0x40;  // a component that no machine has
  if (mode == 5) fp[xstate_size] ^= 1;
  if (mode == 6) fp[464] ^= 1;
  if (mode == 0) uc->uc_mcontext.fpregs = (void*)0x1000;
  if (mode == 1) uc->uc_mcontext.fpregs = NULL;
  if (mode == 2) uc->uc_mcontext.gregs[REG_RIP] = (greg_t)0xdead000000000000;
}

static void edited(const char* name, int how) {
  struct sigaction sa = {.sa_sigaction = edit, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &sa, NULL);
  faults = 0;
  mode = how;
  wrong = 0;
  static const uint8_t zero[256];
  for (volatile int i = 0; i < ROUNDS; ++i) {
    prepare(i, SIGUSR1);
    if (sigsetjmp(out, 1) != 0) continue;
    call_it();
    if (how >= 5) expect(memcmp(s.xmm_out, s.xmm_in, 256) == 0, "vector registers of the old state");
    if (how == 1) expect(memcmp(s.xmm_out, zero, 256) == 0, "vector registers without a state");
  }
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  printf("%s: %d faults, code %x, wrong %d, blocked %d\n", name, faults, fault_code, wrong,
         sigismember(&now, SIGUSR1));
}

// Two signals that become deliverable at once, by a call; the frame of the first is below that of the second.
static void together(void) {
  signal(SIGUSR1, note);
  signal(SIGUSR2, note);
  sigset_t both, old;
  sigemptyset(&both);
  sigaddset(&both, SIGUSR1);
  sigaddset(&both, SIGUSR2);
  int good = 0;
  for (int i = 0; i < ROUNDS; ++i) {
    memset(order, 0, sizeof order);
    sigprocmask(SIG_BLOCK, &both, &old);
    raise(SIGUSR2);
    raise(SIGUSR1);
    sigprocmask(SIG_SETMASK, &old, NULL);
    good += strcmp(order, "21") == 0;
  }
  printf("together: %d as they should be\n", good);
}

// The flag of nested tasks means nothing in 64-bit mode, except to iret.
static void with_nested_task_flag(void) {
  signal(SIGUSR1, note);
  memset(order, 0, sizeof order);
  const pid_t pid = getpid(), tid = (pid_t)syscall(SYS_gettid);
  for (int i = 0; i < ROUNDS; ++i)
    __asm__ volatile(
        "pushfq; orl $0x4000,(%%rsp); popfq; mov $234,%%eax; syscall; pushfq; andl $~0x4000,(%%rsp); popfq"
        :
        : "D"(pid), "S"(tid), "d"(SIGUSR1)
        : "rax", "rcx", "r11", "memory", "cc");
  printf("nested task flag: %zu handled\n", strlen(order));
}

static volatile int others, stop;
static void other(int sig) {
  others += sig != 0;
  __asm__ volatile("pcmpeqd %%xmm0,%%xmm0; pcmpeqd %%xmm9,%%xmm9; fninit; fldpi" ::: "xmm0", "xmm9");
}
static void* sender(void* main_thread) {
  while (!stop) {
    pthread_kill(*(pthread_t*)main_thread, SIGUSR2);
    usleep(50);
  }
  return NULL;
}

static void among_others(void) {
  signal(SIGUSR2, other);
  pthread_t self = pthread_self(), t;
  pthread_create(&t, NULL, sender, &self);
  while (others == 0) usleep(100);
  rounds("among others", 0, 10000);
  stop = 1;
  pthread_join(t, NULL);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  rounds("handler", 0, ROUNDS);
  rounds("not deferred", SA_NODEFER, ROUNDS);
  static char stack[65536];
  const stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&ss, NULL);
  altstack_end = (uint64_t)stack + sizeof stack;
  rounds("alternate stack", SA_ONSTACK, ROUNDS);
  altstack_end = 0;
  without_stack();
  edited("bad FP state", 0);
  edited("no FP state", 1);
  edited("bad place", 2);
  edited("bad MXCSR", 3);
  edited("bad header", 4);
  edited("no end", 5);
  edited("no extended state", 6);
  together();
  with_nested_task_flag();
  among_others();
  return 0;
}
