// sigaltstack(2).
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static char* alt;
static size_t size = 65536;
static sigjmp_buf env;

static int on_alt(void) {
  char here;
  return &here >= alt && &here < alt + size;
}
static void show(const char* what) {
  stack_t ss;
  sigaltstack(NULL, &ss);
  printf("%s: on %d flags %x size %zu base-ok %d\n", what, on_alt(), ss.ss_flags, ss.ss_size,
         ss.ss_sp == alt);
}
static void handler(int sig) {
  (void)sig;
  show("handler");
  // Another size: Linux since 5.16 ignores a change of nothing but flags.
  stack_t ss = {.ss_sp = alt, .ss_size = size / 2};
  int r = sigaltstack(&ss, NULL);
  printf("change inside: %d %d\n", r, r < 0 ? errno : 0);
  static int nested;
  if (!nested++) raise(SIGUSR2);
}
static void overflowed(int sig) {
  (void)sig;
  printf("overflow handled on alt %d\n", on_alt());
  siglongjmp(env, 1);
}
static int deep(int n) {
  volatile char pad[4096];
  memset((char*)pad, n, sizeof pad);
  return n == 0 ? 0 : deep(n - 1) + pad[100];
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  alt = malloc(size);
  show("initial");
  stack_t zero = {0};
  printf("nothing changes: %d\n", sigaltstack(&zero, NULL));
  stack_t ss = {.ss_sp = alt, .ss_size = 1024};
  int r = sigaltstack(&ss, NULL);
  printf("small: %d %d\n", r, errno);
  ss.ss_size = size;
  ss.ss_flags = 4;
  r = sigaltstack(&ss, NULL);
  printf("bad flags: %d %d\n", r, errno);
  ss.ss_flags = 0;
  printf("set: %d\n", sigaltstack(&ss, NULL));
  show("main");

  struct sigaction sa = {0};
  sa.sa_handler = handler;
  sa.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &sa, NULL);
  sigaction(SIGUSR2, &sa, NULL);
  raise(SIGUSR1);
  sa.sa_flags = 0;
  sigaction(SIGUSR1, &sa, NULL);
  raise(SIGUSR1);
  show("after");

  ss.ss_flags = SS_DISABLE;
  sigaltstack(&ss, NULL);
  ss.ss_flags = (int)SS_AUTODISARM;
  printf("autodisarm: %d\n", sigaltstack(&ss, NULL));
  sa.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &sa, NULL);
  raise(SIGUSR1);
  show("armed again");
  ss.ss_flags = SS_DISABLE;
  sigaltstack(&ss, NULL);
  ss.ss_flags = 0;
  sigaltstack(&ss, NULL);

  sa.sa_handler = overflowed;
  sigaction(SIGSEGV, &sa, NULL);
  if (sigsetjmp(env, 1) == 0) deep(1 << 20);
  fflush(stdout);
  if (fork() == 0) {
    show("forked");
    _exit(0);
  }
  wait(NULL);
  ss.ss_flags = SS_DISABLE;
  printf("disable: %d\n", sigaltstack(&ss, NULL));
  printf("too small now: %d\n", sigaltstack(&zero, NULL));
  stack_t old;
  sigaltstack(NULL, &old);
  printf("disabled: flags %x size %zu\n", old.ss_flags, old.ss_size);
  return 0;
}
