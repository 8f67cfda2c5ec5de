// ptrace(2): floating-point and vector registers of a tracee that stopped in a system call: read, changed, and
// what is refused. The call is made often enough for its instruction to have been rewritten.
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static const char* err(long r) { return r < 0 ? strerrorname_np(errno) : "ok"; }

// getppid with a value in xmm8 and mxcsr before; what is there afterwards comes back.
static uint64_t call_with(uint64_t value, uint32_t* mxcsr) {
  uint64_t after;
  __asm__ volatile(
      "movq %[v], %%xmm8\n\t"
      "mov $110, %%eax\n\t"  // SYS_getppid
      "syscall\n\t"
      "movq %%xmm8, %[a]\n\t"
      "stmxcsr %[m]"
      : [a] "=r"(after), [m] "=m"(*mxcsr)
      : [v] "r"(value)
      : "rax", "rcx", "r11", "xmm8", "memory");
  return after;
}

static void tracee(void) {
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  uint32_t mxcsr;
  for (int i = 0; i < 20; i++) call_with(1, &mxcsr);
  raise(SIGSTOP);
  for (uint64_t i = 1; i <= 6; i++) {
    uint64_t got = call_with(i * 0x1111, &mxcsr);
    printf("child: %#lx mxcsr %#x\n", (unsigned long)got, mxcsr);
  }
  fflush(stdout);
  _exit(0);
}

// Lets it run to the next end of getppid.
static int next_call(pid_t c) {
  for (;;) {
    int st;
    struct user_regs_struct r;
    ptrace(PTRACE_SYSCALL, c, 0, 0);
    waitpid(c, &st, 0);
    if (!WIFSTOPPED(st)) return 0;
    ptrace(PTRACE_GETREGS, c, 0, &r);
    if (r.orig_rax == SYS_getppid && (long)r.rax != -ENOSYS) return 1;
  }
}

static uint64_t low(const struct user_fpregs_struct* f) {
  uint64_t v;
  memcpy(&v, &f->xmm_space[8 * 4], sizeof v);
  return v;
}
static void set_low(struct user_fpregs_struct* f, uint64_t v) { memcpy(&f->xmm_space[8 * 4], &v, sizeof v); }

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  pid_t c = fork();
  if (c == 0) tracee();
  int st;
  waitpid(c, &st, 0);
  struct user_fpregs_struct f;
  static uint8_t x[16384];
  struct iovec iov = {x, sizeof x};

  next_call(c);
  printf("get %s", err(ptrace(PTRACE_GETFPREGS, c, 0, &f)));
  printf(", xmm8 %#lx mxcsr %#x\n", (unsigned long)low(&f), f.mxcsr);
  next_call(c);
  ptrace(PTRACE_GETFPREGS, c, 0, &f);
  set_low(&f, 0xabcd);
  f.mxcsr |= 0x8000;  // flush to zero
  printf("set %s\n", err(ptrace(PTRACE_SETFPREGS, c, 0, &f)));
  memset(&f, 0, sizeof f);
  ptrace(PTRACE_GETFPREGS, c, 0, &f);
  printf("then xmm8 %#lx mxcsr %#x\n", (unsigned long)low(&f), f.mxcsr);

  next_call(c);
  f.mxcsr |= 0x80000000;
  printf("bad mxcsr: %s\n", err(ptrace(PTRACE_SETFPREGS, c, 0, &f)));
  printf("bad pointer: %s\n", err(ptrace(PTRACE_SETFPREGS, c, 0, 8)));

  next_call(c);
  printf("xstate %s", err(ptrace(PTRACE_GETREGSET, c, NT_X86_XSTATE, &iov)));
  set_low((struct user_fpregs_struct*)x, 0x77);
  size_t whole = iov.iov_len;
  printf(", larger than fxsave %d\n", whole > 576);
  iov.iov_len = whole - 8;
  printf("a part of it: %s\n", err(ptrace(PTRACE_SETREGSET, c, NT_X86_XSTATE, &iov)));
  iov.iov_len = whole;
  uint64_t features;
  memcpy(&features, x + 512, 8);
  uint64_t more = features | 1ULL << 60;
  memcpy(x + 512, &more, 8);
  printf("unknown feature: %s\n", err(ptrace(PTRACE_SETREGSET, c, NT_X86_XSTATE, &iov)));
  memcpy(x + 512, &features, 8);
  printf("set %s\n", err(ptrace(PTRACE_SETREGSET, c, NT_X86_XSTATE, &iov)));

  next_call(c);
  iov.iov_len = 100;
  printf("odd length: %s\n", err(ptrace(PTRACE_SETREGSET, c, NT_PRFPREG, &iov)));
  iov.iov_len = 504;
  printf("short fxsave: %s\n", err(ptrace(PTRACE_SETREGSET, c, NT_PRFPREG, &iov)));
  iov.iov_len = 512;
  set_low((struct user_fpregs_struct*)x, 0x99);
  printf("fxsave: %s\n", err(ptrace(PTRACE_SETREGSET, c, NT_PRFPREG, &iov)));
  ptrace(PTRACE_CONT, c, 0, 0);
  waitpid(c, &st, 0);
  printf("exit %d\n", WEXITSTATUS(st));
  return 0;
}
