// Synchronous faults: address and code, handlers that longjmp, forced death.
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf env;
static void* expected;

static void handler(int sig, siginfo_t* si, void* ucp) {
  ucontext_t* uc = ucp;
  printf("sig %d code %d addr-ok %d trap %lld err %llx\n", sig, si->si_code, si->si_addr == expected,
         uc->uc_mcontext.gregs[REG_TRAPNO], uc->uc_mcontext.gregs[REG_ERR] & 0x17);
  siglongjmp(env, 1);
}
static void skip(int sig, siginfo_t* si, void* ucp) {
  (void)sig;
  (void)si;
  ((ucontext_t*)ucp)->uc_mcontext.gregs[REG_RIP] += 2;  // ud2
}
static void die(const char* what, void (*fn)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    fn();
    _exit(99);
  }
  int st;
  waitpid(pid, &st, 0);
  printf("%s: signaled %d sig %d core %d exit %d\n", what, WIFSIGNALED(st),
         WIFSIGNALED(st) ? WTERMSIG(st) : 0, WIFSIGNALED(st) && WCOREDUMP(st),
         WIFEXITED(st) ? WEXITSTATUS(st) : -1);
}
static void plain(void) {
  signal(SIGSEGV, SIG_DFL);
  *(volatile int*)8 = 1;
}
static void blocked(void) {
  sigset_t s;
  sigfillset(&s);
  sigprocmask(SIG_BLOCK, &s, NULL);
  *(volatile int*)8 = 1;
}
static void ignored(void) {
  signal(SIGSEGV, SIG_IGN);
  *(volatile int*)8 = 1;
}
static void in_handler(int sig) {
  (void)sig;
  *(volatile int*)8 = 1;
}
static void again(void) {
  signal(SIGSEGV, in_handler);
  *(volatile int*)8 = 1;
}
static int deep(int n) {
  volatile char pad[4096];
  memset((char*)pad, n, sizeof pad);
  return n == 0 ? 0 : deep(n - 1) + pad[100];
}
static void overflow(void) {
  signal(SIGSEGV, SIG_DFL);
  deep(1 << 20);
}
static void bad_stack(void) {
  // No room for a frame: killed.
  signal(SIGUSR1, in_handler);
  __asm__ volatile(
      "mov $16, %%rsp; mov $200, %%eax; mov %0, %%edi; mov $10, %%esi; syscall" ::"r"((int)getpid())
      : "rax", "rdi", "rsi", "rcx", "r11", "memory");
}
static void aborts(void) { abort(); }

int main(void) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  setvbuf(stdout, NULL, _IONBF, 0);
  struct sigaction sa = {0};
  sa.sa_sigaction = handler;
  sa.sa_flags = SA_SIGINFO;
  int sigs[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  for (unsigned i = 0; i < 5; i++) sigaction(sigs[i], &sa, NULL);

  expected = (void*)0x1000;
  if (sigsetjmp(env, 1) == 0) *(volatile int*)0x1000 = 1;
  char* ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  expected = ro + 10;
  if (sigsetjmp(env, 1) == 0) ro[10] = 1;
  char* none_map = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  expected = none_map;
  if (sigsetjmp(env, 1) == 0) printf("%d\n", *(volatile char*)none_map);
  expected = NULL;
  if (sigsetjmp(env, 1) == 0) *(volatile uint64_t*)0x8000000000000000ULL = 1;
  char* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  code[0] = (char)0xc3;
  expected = code;
  if (sigsetjmp(env, 1) == 0) ((void (*)(void))code)();

  FILE* f = tmpfile();
  char* past = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(f), 0);
  expected = past + 100;
  if (sigsetjmp(env, 1) == 0) past[100] = 1;

  volatile int zero = 0;
  if (sigsetjmp(env, 1) == 0) {
    __asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %0; xor %%edx, %%edx; mov $1, %%eax; 1: idivl %1"
                     : "=m"(expected)
                     : "m"(zero)
                     : "rax", "rdx", "memory");
  }
  if (sigsetjmp(env, 1) == 0) {
    __asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %0; 1: ud2" : "=m"(expected)::"rax", "memory");
  }
  expected = NULL;
  if (sigsetjmp(env, 1) == 0) __asm__ volatile("int3");

  sa.sa_sigaction = skip;
  sigaction(SIGILL, &sa, NULL);
  __asm__ volatile("ud2");
  printf("skipped ud2\n");

  die("default", plain);
  die("blocked", blocked);
  die("ignored", ignored);
  die("fault in handler", again);
  die("stack overflow", overflow);
  die("no stack for the frame", bad_stack);
  die("abort", aborts);
  return 0;
}
