// wait4(2) and waitid(2): selection, options, status, errors.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t spawn_exit(int code) {
  pid_t p = fork();
  if (p == 0) _exit(code);
  return p;
}
static pid_t spawn_pause(void) {
  pid_t p = fork();
  if (p == 0)
    for (;;) pause();
  return p;
}
static const char* code_name(int c) {
  static const char* n[] = {"none", "EXITED", "KILLED", "DUMPED", "TRAPPED", "STOPPED", "CONTINUED"};
  return n[c];
}
static void show(const char* what, int r, pid_t expect, siginfo_t* si) {
  printf("%s: %d %s pid %d signo %d code %s status %d uid %d\n", what, r, r < 0 ? strerror(errno) : "ok",
         si->si_pid == expect, si->si_signo, code_name(si->si_code), si->si_status, si->si_uid == getuid());
}

static void* other_thread(void* p) {
  int st;
  pid_t r = waitpid(*(pid_t*)p, &st, __WNOTHREAD | WNOHANG);
  printf("__WNOTHREAD in another thread: %d %s", r, strerror(errno));
  printf(", without %d\n", waitpid(*(pid_t*)p, &st, WNOHANG));
  return NULL;
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  int st;
  siginfo_t si;
  struct rusage ru;

  pid_t a = spawn_exit(300);
  memset(&ru, 0xff, sizeof ru);
  pid_t r = wait4(a, &st, 0, &ru);
  printf("wait4 %d status %x rusage %d\n", r == a, st, ru.ru_utime.tv_sec == 0 && ru.ru_stime.tv_usec >= 0);

  a = spawn_pause();
  r = waitpid(a, &st, WNOHANG);
  printf("WNOHANG %d\n", r);
  memset(&si, 0xff, sizeof si);
  int e = waitid(P_PID, (id_t)a, &si, WEXITED | WNOHANG);
  show("waitid WNOHANG", e, 0, &si);
  kill(a, SIGSTOP);
  r = waitpid(a, &st, WUNTRACED);
  printf("stopped %d status %x\n", r == a, st);
  r = waitpid(a, &st, WUNTRACED | WNOHANG);
  printf("again %d\n", r);
  kill(a, SIGCONT);
  memset(&si, 0, sizeof si);
  e = waitid(P_ALL, 0, &si, WCONTINUED | WNOWAIT);
  show("continued", e, a, &si);
  r = waitpid(a, &st, WCONTINUED);
  printf("wait continued %d status %x\n", r == a, st);
  kill(a, SIGSTOP);
  memset(&si, 0, sizeof si);
  e = waitid(P_PGID, (id_t)getpgrp(), &si, WSTOPPED);
  show("waitid stopped", e, a, &si);
  kill(a, SIGKILL);
  memset(&si, 0, sizeof si);
  e = waitid(P_PID, (id_t)a, &si, WEXITED | WNOWAIT);
  show("killed, left", e, a, &si);
  e = waitid(P_PID, (id_t)a, &si, WEXITED);
  show("killed", e, a, &si);
  memset(&si, 0xff, sizeof si);
  e = waitid(P_PID, (id_t)a, &si, WEXITED);
  show("gone", e, 0, &si);

  a = spawn_pause();
  kill(a, SIGQUIT);
  waitpid(a, &st, 0);
  printf("SIGQUIT status %x\n", st);

  // Which child.
  a = spawn_exit(1);
  pid_t b = fork();
  if (b == 0) {
    setpgid(0, 0);
    _exit(2);
  }
  setpgid(b, b);
  r = waitpid(-b, &st, 0);
  printf("by group %d status %x\n", r == b, st);
  r = waitpid(0, &st, 0);
  printf("own group %d status %x\n", r == a, st);
  r = waitpid(-1, &st, 0);
  printf("nothing %d %s\n", r, strerror(errno));
  a = spawn_exit(1);
  r = waitpid(a + 1, &st, 0);
  printf("not a child %d %s\n", r, strerror(errno));
  r = waitpid(a, &st, 0x100);
  printf("bad option %d %s\n", r, strerror(errno));
  e = waitid(P_PID, (id_t)a, &si, WNOHANG);
  printf("no state %d %s\n", e, strerror(errno));
  e = waitid(P_PID, 0, &si, WEXITED);
  printf("id 0 %d %s\n", e, strerror(errno));
  e = waitid((idtype_t)7, 0, &si, WEXITED);
  printf("idtype %d %s\n", e, strerror(errno));
  e = waitid(P_PIDFD, 0, &si, WEXITED);
  printf("not a pidfd %d %s\n", e, strerror(errno));
  r = wait4(a, (int*)8, 0, NULL);
  printf("bad address %d %s\n", r, strerror(errno));
  r = wait4(a, &st, 0, NULL);
  printf("reaped anyway %d %s\n", r, strerror(errno));

  // Children that do not report with SIGCHLD.
  long c = syscall(SYS_clone, 0, 0, 0, 0, 0);
  if (c == 0) _exit(8);
  r = waitpid((pid_t)c, &st, 0);
  printf("clone child: plain %d %s", r, strerror(errno));
  r = waitpid((pid_t)c, &st, __WCLONE);
  printf(", __WCLONE %d status %x\n", r == c, st);
  c = syscall(SYS_clone, 0, 0, 0, 0, 0);
  if (c == 0) _exit(9);
  r = waitpid(-1, &st, __WALL);
  printf("__WALL %d status %x\n", r == c, st);

  // A child of this thread is not one of another thread, if that asks so.
  a = spawn_pause();
  pthread_t thread;
  pthread_create(&thread, NULL, other_thread, &a);
  pthread_join(thread, NULL);
  kill(a, SIGKILL);
  r = waitpid(a, &st, __WNOTHREAD);
  printf("__WNOTHREAD in the parent %d status %x\n", r == a, st);

  // pidfd.
  a = spawn_pause();
  int fd = (int)syscall(SYS_pidfd_open, a, 0);
  printf("pidfd cloexec %d\n", fcntl(fd, F_GETFD));
  printf("send %ld\n", syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
  memset(&si, 0, sizeof si);
  e = waitid(P_PIDFD, (id_t)fd, &si, WEXITED);
  show("pidfd", e, a, &si);
  printf("after: %ld", syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
  printf(" %s\n", strerror(errno));
  close(fd);
  printf("pidfd_open: %ld", syscall(SYS_pidfd_open, -1, 0));
  printf(" %s", strerror(errno));
  printf(", flags %ld", syscall(SYS_pidfd_open, getpid(), 1));
  printf(" %s\n", strerror(errno));
  a = spawn_pause();
  fd = (int)syscall(SYS_pidfd_open, a, O_NONBLOCK);
  e = waitid(P_PIDFD, (id_t)fd, &si, WEXITED);
  printf("nonblocking %d %s\n", e, strerror(errno));
  kill(a, SIGKILL);
  waitpid(a, NULL, 0);
  return 0;
}
