// setitimer(2), getitimer(2), alarm(2): values, signals, inheritance, exec.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static volatile int count, code, from;
static void handler(int s, siginfo_t* si, void* u) {
  (void)s, (void)u;
  count++;
  code = si->si_code;
  from = si->si_pid;
}

static volatile unsigned long work;
static void burn_until(int n) {
  time_t end = time(NULL) + 3;
  while (count < n && time(NULL) < end)
    for (int i = 0; i < 10000; i++) work++;
}

static void cpu_timer(const char* name, int which, int signo) {
  struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(signo, &sa, NULL);
  struct itimerval it = {{0, 10000}, {0, 20000}}, old;
  count = 0;
  T(setitimer(which, &it, NULL));
  usleep(60000);
  printf("%s asleep: %d\n", name, count);
  burn_until(3);
  printf("%s at work: %d, code %d, pid %d\n", name, count >= 3, code == SI_KERNEL, from);
  memset(&it, 0, sizeof it);
  T(setitimer(which, &it, &old));
  printf("interval %ld\n", (long)old.it_interval.tv_usec);
  T(getitimer(which, &old));
  printf("stopped: %ld %ld\n", (long)old.it_value.tv_usec, (long)old.it_interval.tv_usec);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    struct itimerval it;
    getitimer(ITIMER_REAL, &it);
    printf("after exec: %s running, interval %ld\n", it.it_value.tv_sec > 90 ? "still" : "not",
           (long)it.it_interval.tv_sec);
    return 0;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct itimerval it = {{0, 0}, {0, 0}}, old;
  T(syscall(SYS_setitimer, 3, &it, NULL));
  T(syscall(SYS_setitimer, -1, &it, NULL));
  T(syscall(SYS_getitimer, 3, &old));
  T(syscall(SYS_getitimer, 0, (void*)1));
  T(syscall(SYS_setitimer, 0, (void*)1, NULL));
  it.it_value.tv_usec = 1000000;
  T(setitimer(ITIMER_REAL, &it, NULL));
  it.it_value.tv_usec = -1;
  T(setitimer(ITIMER_REAL, &it, NULL));
  it.it_value.tv_usec = 0;
  it.it_interval.tv_sec = -1;
  T(setitimer(ITIMER_REAL, &it, NULL));

  T(alarm(100));
  T(alarm(50) >= 99);
  T(getitimer(ITIMER_REAL, &it));
  printf("alarm is ITIMER_REAL: %d\n", it.it_value.tv_sec >= 48 && it.it_value.tv_sec <= 50);
  T(alarm(0) >= 49);
  T(alarm(0));
  it = (struct itimerval){{0, 0}, {0, 300000}};
  setitimer(ITIMER_REAL, &it, NULL);
  T(alarm(0));  // never 0 while it runs

  struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGALRM, &sa, NULL);
  it = (struct itimerval){{0, 20000}, {0, 30000}};
  setitimer(ITIMER_REAL, &it, NULL);
  int r = -1;
  while (count < 3) r &= pause();
  printf("real: %d, pause %d, code %d, pid %d\n", count, r, code == SI_KERNEL, from);
  getitimer(ITIMER_REAL, &it);
  printf("interval %ld, within it %d\n", (long)it.it_interval.tv_usec, it.it_value.tv_usec <= 20000);

  // Blocked: one signal, however many periods.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  count = 0;
  usleep(90000);
  memset(&it, 0, sizeof it);
  setitimer(ITIMER_REAL, &it, NULL);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  usleep(30000);
  printf("after being blocked: %d\n", count);

  cpu_timer("virtual", ITIMER_VIRTUAL, SIGVTALRM);
  cpu_timer("prof", ITIMER_PROF, SIGPROF);

  it = (struct itimerval){{7, 0}, {100, 0}};
  setitimer(ITIMER_REAL, &it, NULL);
  pid_t pid = fork();
  if (pid == 0) {
    getitimer(ITIMER_REAL, &it);
    printf("child has none: %ld %ld\n", (long)it.it_value.tv_sec, (long)it.it_interval.tv_sec);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  pid = fork();
  if (pid == 0) {
    alarm(1);
    pause();
    signal(SIGALRM, SIG_DFL);
    alarm(1);
    pause();
    _exit(1);
  }
  int status;
  kill(pid, SIGALRM);
  usleep(20000);
  waitpid(pid, &status, 0);
  printf("default action: signal %d\n", WTERMSIG(status) == SIGALRM);
  execl("/proc/self/exe", argv[0], "x", NULL);
  return 1;
}
