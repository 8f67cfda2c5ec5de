// Orphans, subreapers, PR_SET_PDEATHSIG, zombies, SIGCHLD ignored.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t chld;
static siginfo_t last;
static void on_chld(int sig, siginfo_t* si, void* uc) {
  (void)sig;
  (void)uc;
  chld++;
  last = *si;
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  volatile int* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct sigaction sa = {0};
  sa.sa_sigaction = on_chld;
  sa.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGCHLD, &sa, NULL);
  int st;

  // A subreaper adopts the grandchild and can wait for it.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t pid = fork();
  if (pid == 0) {
    pid_t parent = getpid(), reaper = getppid();
    if (fork() == 0) {
      shared[0] = getppid() == parent;
      while (getppid() == parent) usleep(1000);
      shared[1] = getppid() == reaper;
      _exit(5);
    }
    usleep(20000);
    _exit(6);
  }
  pid_t w = waitpid(pid, &st, 0);
  printf("child: %d status %x\n", w == pid, st);
  w = wait(&st);
  printf("grandchild: other %d status %x was child %d adopted %d\n", w > 0 && w != pid, st, shared[0],
         shared[1]);
  w = wait(&st);
  printf("none left: %d %s\n", w, strerror(errno));
  // Two of them may have become one: whose status was kept is a matter of timing.
  printf("SIGCHLD came %d code %d\n", chld > 0, last.si_code);

  // The parent's death.
  pid = fork();
  if (pid == 0) {
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      int sig = 0;
      prctl(PR_GET_PDEATHSIG, &sig);
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR1);
      sigprocmask(SIG_BLOCK, &set, NULL);
      shared[2] = 1;
      siginfo_t si;
      struct timespec ts = {2, 0};
      int got = sigtimedwait(&set, &si, &ts);
      shared[3] = got == SIGUSR1 && sig == SIGUSR1;
      _exit(0);
    }
    while (!shared[2]) usleep(1000);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  wait(NULL);
  printf("pdeathsig %d\n", shared[3]);

  // A zombie is still there: kill works, its group too; gone after the wait.
  pid = fork();
  if (pid == 0) _exit(0);
  siginfo_t si;
  waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT);
  printf("zombie: kill %d", kill(pid, SIGTERM));
  printf(" pgid %d", getpgid(pid) == getpgrp());
  waitpid(pid, &st, 0);
  printf(" status %x after: %d", st, kill(pid, 0));
  printf(" %s\n", strerror(errno));

  // A daemon: no leader of its session, no terminal, no parent of ours; it goes on when its parent has ended.
  pid = fork();
  if (pid == 0) {
    printf("setsid %d\n", setsid() == getpid());
    pid_t middle = getpid();
    if (fork() != 0) _exit(0);
    while (getppid() == middle) usleep(1000);
    printf("chdir %d\n", chdir("/"));
    int null = open("/dev/null", O_RDWR), out = dup(1);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    dprintf(out, "daemon: session %d, leads %d", getsid(0) == middle, getsid(0) == getpid());
    int tty = open("/dev/tty", O_RDWR);
    dprintf(out, ", terminal %s, input %zd\n", tty < 0 ? strerrorname_np(errno) : "there", read(0, &st, 1));
    shared[4] = 1;
    _exit(0);
  }
  int between;
  waitpid(pid, &between, 0);
  wait(&st);  // we are still the subreaper
  printf("the one between: %x, daemon ended: %d status %x\n", between, shared[4], st);

  // Nobody waits: no zombies.
  signal(SIGCHLD, SIG_IGN);
  pid = fork();
  if (pid == 0) _exit(3);
  w = waitpid(pid, &st, 0);
  printf("ignored: %d %s\n", w, strerror(errno));
  sa.sa_flags = SA_SIGINFO | SA_NOCLDWAIT | SA_RESTART;
  sigaction(SIGCHLD, &sa, NULL);
  chld = 0;
  pid = fork();
  if (pid == 0) _exit(3);
  w = waitpid(pid, &st, 0);
  printf("SA_NOCLDWAIT: %d %s signals %d\n", w, strerror(errno), chld);
  return 0;
}
