// Registers, FP and AVX state are kept over handlers; handlers may change them.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t ticks;
static void spoil(int sig) {
  (void)sig;
  ticks++;
  volatile double d = 1.0;
  for (int i = 0; i < 50; i++) d = d * 1.0001 + 3;
  __asm__ volatile("pxor %%xmm0,%%xmm0; pxor %%xmm7,%%xmm7; pxor %%xmm15,%%xmm15; fninit; fldz" ::
                       : "xmm0", "xmm7", "xmm15");
  uint32_t mxcsr = 0x1f80 | 0x6000;
  __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
}
static void edit(int sig, siginfo_t* si, void* ucp) {
  (void)sig;
  (void)si;
  ucontext_t* uc = ucp;
  uc->uc_mcontext.gregs[REG_RBX] = 0x1234;
  sigaddset(&uc->uc_sigmask, SIGUSR2);
  if (uc->uc_mcontext.fpregs) uc->uc_mcontext.fpregs->_xmm[3].element[0] = 0xabcd;
}

// The same for the upper halves of the AVX registers, where the machine has them.
__attribute__((target("avx"))) static void spoil_avx(int sig) {
  (void)sig;
  ticks++;
  __asm__ volatile("vzeroall" ::: "xmm0", "xmm5", "xmm14");
}
__attribute__((target("avx"))) static long lost_avx(void) {
  static const uint64_t in[3][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}};
  uint64_t out[3][4];
  long bad = 0;
  ticks = 0;
  while (ticks < 50) {
    __asm__ volatile(
        "vmovdqu 0(%0),%%ymm0; vmovdqu 32(%0),%%ymm5; vmovdqu 64(%0),%%ymm14; mov $20000,%%ecx; 1: dec %%ecx; jnz 1b;"
        "vmovdqu %%ymm0,0(%1); vmovdqu %%ymm5,32(%1); vmovdqu %%ymm14,64(%1); vzeroupper" ::"r"(in),
        "r"(out)
        : "xmm0", "xmm5", "xmm14", "rcx", "memory");
    bad += memcmp(in, out, sizeof in) != 0;
  }
  return bad;
}

int main(void) {
  signal(SIGALRM, spoil);
  struct itimerval it = {{0, 2000}, {0, 2000}};
  setitimer(ITIMER_REAL, &it, NULL);
  long bad = 0;
  uint64_t in[3][2] = {{1, 2}, {3, 4}, {5, 6}};
  while (ticks < 50) {
    uint64_t out[3][2];
    uint32_t csr;
    double x = 0;
    __asm__ volatile(
        "movdqu 0(%2),%%xmm0; movdqu 16(%2),%%xmm7; movdqu 32(%2),%%xmm15; fld1; mov $20000,%%ecx; 1: dec "
        "%%ecx; jnz 1b;"
        "movdqu %%xmm0,0(%3); movdqu %%xmm7,16(%3); movdqu %%xmm15,32(%3); stmxcsr %0; fstpl %1"
        : "=m"(csr), "=m"(x)
        : "r"(in), "r"(out)
        : "xmm0", "xmm7", "xmm15", "rcx", "memory", "st");
    if (memcmp(in, out, sizeof in) != 0 || x != 1.0 || (csr & 0x6000) != 0) bad++;
  }
  long bad_avx = 0;
  if (__builtin_cpu_supports("avx")) {
    signal(SIGALRM, spoil_avx);
    bad_avx = lost_avx();
  }
  memset(&it, 0, sizeof it);
  setitimer(ITIMER_REAL, &it, NULL);
  printf("bad %ld, AVX %ld\n", bad, bad_avx);

  struct sigaction sa = {0};
  sa.sa_sigaction = edit;
  sa.sa_flags = SA_SIGINFO;
  sigaction(SIGUSR1, &sa, NULL);
  uint64_t rbx = 7;
  uint32_t xmm3 = 0;
  pid_t self = getpid();
  __asm__ volatile(
      "mov $7, %%rbx; pxor %%xmm3,%%xmm3; mov $62, %%eax; mov %2, %%edi; mov $10, %%esi; syscall; mov %%rbx, "
      "%0; movd %%xmm3, %1"
      : "=m"(rbx), "=m"(xmm3)
      : "r"(self)
      : "rax", "rbx", "rdi", "rsi", "rcx", "r11", "xmm3", "memory");
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  printf("rbx %llx xmm3 %x usr2 blocked %d\n", (unsigned long long)rbx, xmm3, sigismember(&now, SIGUSR2));
  return 0;
}
