// Sessions, process groups, stop and continue, orphaned groups.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int* shared;
static volatile sig_atomic_t chld, chld_code;
static void on_chld(int sig, siginfo_t* si, void* uc) {
  (void)sig;
  (void)uc;
  chld++;
  chld_code = si->si_code;
}
static void on_cont(int sig) {
  (void)sig;
  shared[0]++;
}
static void on_hup(int sig) {
  (void)sig;
  shared[1]++;
}
static void step(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerror(errno));
  else
    printf("%s: ok\n", what);
}
static void await(volatile int* p, int v) {
  for (int i = 0; i < 2000 && *p != v; i++) usleep(1000);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct sigaction sa = {0};
  int st;

  pid_t pid = fork();
  if (pid == 0) {
    step("setsid", setsid());
    printf("leader %d %d\n", getsid(0) == getpid(), getpgrp() == getpid());
    step("setsid again", setsid());
    step("setpgid of a leader", setpgid(0, 0));
    _exit(0);
  }
  waitpid(pid, &st, 0);
  step("setpgid negative", setpgid(0, -1));
  step("setpgid no process", setpgid(0x3fffff, 0));
  step("setpgid parent", setpgid(getppid(), 0));
  step("setpgid to no group", setpgid(0, 0x3fffff));
  step("getpgid none", getpgid(0x3fffff));
  step("getsid none", getsid(0x3fffff));
  pid = fork();
  if (pid == 0) {
    execl("/bin/sleep", "sleep", "5", (char*)NULL);
    _exit(1);
  }
  usleep(100000);
  step("setpgid after exec", setpgid(pid, pid));
  kill(pid, SIGKILL);
  waitpid(pid, &st, 0);

  // Stop and continue, with SIGCHLD each time.
  sa.sa_sigaction = on_chld;
  sa.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGCHLD, &sa, NULL);
  pid = fork();
  if (pid == 0) {
    signal(SIGCONT, on_cont);
    for (;;) shared[2]++;
  }
  while (shared[2] == 0) usleep(1000);
  kill(pid, SIGSTOP);
  waitpid(pid, &st, WUNTRACED);
  printf("stopped by %d, SIGCHLD %d code %d\n", WSTOPSIG(st), chld, chld_code);
  int n = shared[2];
  usleep(20000);
  printf("stands still %d\n", n == shared[2]);
  kill(pid, SIGTERM);
  usleep(10000);
  printf("SIGTERM waits %d\n", waitpid(pid, &st, WNOHANG));
  kill(pid, SIGCONT);
  waitpid(pid, &st, 0);
  printf("then dies of %d, handler of SIGCONT %d\n", WTERMSIG(st), shared[0]);

  // SIGCONT discards pending stop signals; SIGTSTP can be caught; SA_NOCLDSTOP.
  sa.sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP;
  sigaction(SIGCHLD, &sa, NULL);
  chld = 0;
  pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGTSTP);
    raise(SIGCONT);
    sigpending(&set);
    printf("TSTP pending after CONT %d\n", sigismember(&set, SIGTSTP));
    raise(SIGTSTP);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    _exit(3);
  }
  waitpid(pid, &st, WUNTRACED);
  printf("stopped by SIGTSTP %d, SIGCHLD %d\n", WIFSTOPPED(st) && WSTOPSIG(st) == SIGTSTP, chld);
  kill(-pid, SIGCONT);
  waitpid(pid, &st, 0);
  printf("exit %d\n", WEXITSTATUS(st));

  // An orphaned group: SIGTSTP does nothing, and losing the last parent brings SIGHUP and SIGCONT.
  pid = fork();
  if (pid == 0) {
    setsid();
    if (fork() == 0) {
      setpgid(0, 0);
      signal(SIGHUP, on_hup);
      shared[0] = 0;
      signal(SIGCONT, on_cont);
      shared[3] = 1;
      raise(SIGSTOP);
      await(&shared[1], 1);
      await(&shared[0], 1);
      raise(SIGTSTP);
      shared[3] = 2;
      _exit(0);
    }
    await(&shared[3], 1);
    waitpid(-1, &st, WUNTRACED);
    _exit(0);
  }
  waitpid(pid, &st, 0);
  await(&shared[3], 2);
  printf("orphan: HUP %d CONT %d not stopped %d\n", shared[1], shared[0], shared[3] == 2);

  // kill of groups. What is left of one comes to us, as nobody knows when another would wait for it.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    if (fork() == 0)
      for (;;) pause();
    for (;;) pause();
  }
  setpgid(pid, pid);
  step("kill group", kill(-pid, SIGTERM));
  waitpid(pid, &st, 0);
  printf("group died of %d\n", WTERMSIG(st));
  while (waitpid(-1, &st, 0) > 0) continue;  // the other one
  step("empty group", kill(-pid, 0));
  step("group 0x3fffff", kill(-0x3fffff, SIGTERM));
  return 0;
}
