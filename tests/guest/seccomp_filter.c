// seccomp(2): strict mode, filters and their actions, inheritance, threads, what is refused.
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#define NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ARG(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define RET(v) BPF_STMT(BPF_RET | BPF_K, v)
#define LEN(a) (sizeof(a) / sizeof(*(a)))

static long seccomp(unsigned op, unsigned flags, void* args) { return syscall(SYS_seccomp, op, flags, args); }
static long install_n(struct sock_filter* f, size_t n, unsigned flags) {
  struct sock_fprog p = {(unsigned short)n, f};
  return seccomp(SECCOMP_SET_MODE_FILTER, flags, &p);
}
#define INSTALL(...)                                        \
  ({                                                        \
    struct sock_filter f_[] = {__VA_ARGS__};                \
    install_n(f_, LEN(f_), 0);                              \
  })
// A filter with `action` for `nr`, else allow.
static long on_call(int nr, unsigned action) {
  return INSTALL(NR, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1), RET(action), RET(SECCOMP_RET_ALLOW));
}
static void in_child(const char* what, void (*fn)(void)) {
  printf("-- %s\n", what);
  fflush(stdout);
  pid_t c = fork();
  if (c == 0) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    fn();
    exit(0);
  }
  int st;
  waitpid(c, &st, 0);
  printf("exit %d signal %d\n", WIFEXITED(st) ? WEXITSTATUS(st) : -1, WIFSIGNALED(st) ? WTERMSIG(st) : 0);
}
static void status(void) {
  FILE* f = fopen("/proc/self/status", "r");
  char line[256];
  while (fgets(line, sizeof line, f))
    if (!strncmp(line, "Seccomp", 7) || !strncmp(line, "NoNewPrivs", 10)) fputs(line, stdout);
  fclose(f);
}

static void refused(void) {
  SAY_NUMBER(prctl(PR_GET_SECCOMP));
  SAY_NUMBER(on_call(SYS_getppid, SECCOMP_RET_ALLOW));  // without no_new_privs
  SAY_NUMBER(prctl(PR_SET_SECCOMP, 77, 0));
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  SAY_NUMBER(seccomp(77, 0, NULL));
  SAY_NUMBER(seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL));
  SAY_NUMBER(seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL));
  SAY_NUMBER(seccomp(SECCOMP_SET_MODE_FILTER, 0x1000, NULL));
  struct sock_filter ok[] = {RET(SECCOMP_RET_ALLOW)};
  SAY_NUMBER(install_n(ok, 0, 0));
  SAY_NUMBER(install_n(ok, 4097, 0));
  SAY_NUMBER(install_n(NULL, 1, 0));
  SAY_NUMBER(INSTALL(NR));                                                             // no end
  SAY_NUMBER(INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RET(0)));                  // not aligned
  SAY_NUMBER(INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET(0)));                 // outside
  SAY_NUMBER(INSTALL(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RET(0)));                  // a byte
  SAY_NUMBER(INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RET(0)));
  SAY_NUMBER(INSTALL(BPF_STMT(BPF_JMP | BPF_JA, 1), RET(0)));                          // beyond the end
  SAY_NUMBER(INSTALL(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RET(0)));
  SAY_NUMBER(INSTALL(BPF_STMT(BPF_LD | BPF_MEM, 0), RET(0)));                          // never written
  SAY_NUMBER(INSTALL(BPF_STMT(BPF_ST, 16), RET(0)));
  SAY_NUMBER(INSTALL(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET(0)));
  SAY_NUMBER(INSTALL(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RET(0)));
  SAY_NUMBER(INSTALL(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RET(0)));
  SAY_NUMBER(INSTALL(BPF_STMT(0xffff, 0), RET(0)));
  SAY_NUMBER(INSTALL(BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), RET(0)));
  unsigned a = SECCOMP_RET_ERRNO, bad = 0x12340000;
  SAY_NUMBER(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &a));
  SAY_NUMBER(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &bad));
  SAY_NUMBER(seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &a));
  SAY_NUMBER(prctl(PR_GET_SECCOMP));
  status();
}
static void errnos(void) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  SAY_NUMBER(on_call(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV));
  SAY_NUMBER(syscall(SYS_getppid));
  SAY_NUMBER(on_call(SYS_getpgrp, SECCOMP_RET_ERRNO | 0));
  SAY_NUMBER(syscall(SYS_getpgrp));
  SAY_NUMBER(on_call(SYS_getppid, SECCOMP_RET_ERRNO | ENOTTY));  // the newer one counts among equals
  SAY_NUMBER(syscall(SYS_getppid));
  SAY_NUMBER(on_call(SYS_getppid, SECCOMP_RET_LOG));  // weaker
  SAY_NUMBER(syscall(SYS_getppid));
  SAY_NUMBER(on_call(SYS_getuid, SECCOMP_RET_ERRNO | 0xffff));
  long r;
  __asm__ volatile("syscall" : "=a"(r) : "a"(SYS_getuid) : "rcx", "r11", "memory");
  printf("cut to %ld\n", r);
  SAY_NUMBER(on_call(SYS_getgid, SECCOMP_RET_TRACE | 5));
  SAY_NUMBER(syscall(SYS_getgid));
  SAY_NUMBER(prctl(PR_GET_SECCOMP));
  status();
  fflush(stdout);
  if (fork() == 0) {
    SAY_NUMBER(syscall(SYS_getppid));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
}
static void by_arguments(void) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // dup2 to a descriptor above 50 fails with the descriptor as errno; computed through memory and ALU.
  SAY_NUMBER(INSTALL(NR, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup2, 0, 9), ARG(1), BPF_STMT(BPF_ST, 3),
              BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 50, 0, 6), BPF_STMT(BPF_LDX | BPF_MEM, 3), BPF_STMT(BPF_MISC | BPF_TXA, 0),
              BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1),
              BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), BPF_STMT(BPF_RET | BPF_A, 0), RET(SECCOMP_RET_ALLOW)));
  SAY_NUMBER(dup2(1, 40));
  SAY_NUMBER(dup2(1, 99));
  SAY_NUMBER(dup2(1, 60));
  // The architecture, and the length of the data.
  SAY_NUMBER(INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
              BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 5), NR,
              BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 3), BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
              BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), BPF_STMT(BPF_RET | BPF_A, 0),
              RET(SECCOMP_RET_ALLOW)));
  SAY_NUMBER(syscall(SYS_getppid));
}
static volatile int trapped;
static void on_sigsys(int s, siginfo_t* si, void* u) {
  ucontext_t* uc = u;
  printf("SIGSYS %d code %d errno %d nr %d arch %#x rax %lld addr %d\n", s == SIGSYS, si->si_code, si->si_errno,
         si->si_syscall, si->si_arch, uc->uc_mcontext.gregs[REG_RAX],
         (unsigned long long)si->si_call_addr == (unsigned long long)uc->uc_mcontext.gregs[REG_RIP]);
  uc->uc_mcontext.gregs[REG_RAX] = 4711;
  trapped = 1;
}
static void trap(void) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  struct sigaction sa = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &sa, NULL);
  on_call(SYS_getppid, SECCOMP_RET_TRAP | 42);
  printf("returned %ld trapped %d\n", syscall(SYS_getppid), trapped);
  fflush(stdout);
  signal(SIGSYS, SIG_IGN);
  syscall(SYS_getppid);
  puts("not reached");
}
static void kill_process(void) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  signal(SIGSYS, SIG_IGN);
  on_call(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
  syscall(SYS_getppid);
  puts("not reached");
}
static void kill_single(void) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  on_call(SYS_getppid, SECCOMP_RET_KILL_THREAD);
  syscall(SYS_getppid);
  puts("not reached");
}
static void unknown_action(void) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  on_call(SYS_getppid, 0x00010000);
  syscall(SYS_getppid);
  puts("not reached");
}
static void* victim(void* a) {
  if (!a) on_call(SYS_getppid, SECCOMP_RET_KILL_THREAD);
  syscall(SYS_getppid);
  puts("not reached");
  return NULL;
}
static void kill_thread(void) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  pthread_t t;
  pthread_create(&t, NULL, victim, NULL);
  pthread_join(t, NULL);
  printf("the other lives, its getppid works %d, mode %d\n", syscall(SYS_getppid) > 0, prctl(PR_GET_SECCOMP));
}
static int go[2], done[2];
static void* follower(void* a) {
  (void)a;
  char ch;
  if (write(done[1], "x", 1) != 1 || read(go[0], &ch, 1) != 1) return NULL;
  errno = 0;
  long r = syscall(SYS_getppid);
  printf("thread: %ld %s nnp %d\n", r, strerrorname_np(errno), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  return NULL;
}
static void* diverged(void* a) {
  (void)a;
  char ch;
  on_call(SYS_getpgrp, SECCOMP_RET_ERRNO | 1);
  if (write(done[1], "x", 1) != 1 || read(go[0], &ch, 1) != 1) return NULL;
  return NULL;
}
static void tsync(void) {
  char ch;
  if (pipe(go) || pipe(done)) exit(1);
  pthread_t t;
  pthread_create(&t, NULL, follower, NULL);
  if (read(done[0], &ch, 1) != 1) exit(1);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  struct sock_filter f[] = {NR, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1), RET(SECCOMP_RET_ERRNO | EXDEV), RET(SECCOMP_RET_ALLOW)};
  SAY_NUMBER(install_n(f, 4, SECCOMP_FILTER_FLAG_TSYNC));
  if (write(go[1], "x", 1) != 1) exit(1);
  pthread_join(t, NULL);
  pthread_create(&t, NULL, diverged, NULL);
  if (read(done[0], &ch, 1) != 1) exit(1);
  printf("names the thread %d\n", install_n(f, 4, SECCOMP_FILTER_FLAG_TSYNC) > 0);
  SAY_NUMBER(install_n(f, 4, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH));
  if (write(go[1], "x", 1) != 1) exit(1);
  pthread_join(t, NULL);
  status();
}
static void strict(void) {
  SAY_NUMBER(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
  static const char text[] = "writing works\n";
  if (write(1, text, sizeof text - 1) < 0) return;
  syscall(SYS_exit, 5);
}
static void strict_kills(void) {
  SAY_NUMBER(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
  fflush(stdout);
  syscall(SYS_getpid);
}
static void over_exec(void) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  on_call(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV);
  fflush(stdout);
  execl("/proc/self/exe", "seccomp_filter", "x", NULL);
}

int main(int argc, char** argv) {
  (void)argv;
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 1) {
    SAY_NUMBER(syscall(SYS_getppid));
    status();
    return 3;
  }
  in_child("refused", refused);
  in_child("errno", errnos);
  in_child("arguments", by_arguments);
  in_child("trap", trap);
  in_child("kill process", kill_process);
  in_child("kill the only thread", kill_single);
  in_child("unknown action", unknown_action);
  in_child("kill one thread", kill_thread);
  in_child("all threads", tsync);
  in_child("strict", strict);
  in_child("strict kills", strict_kills);
  in_child("exec", over_exec);
  return 0;
}
