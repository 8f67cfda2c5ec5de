// Signal masks and signals in epoll_pwait, ppoll and pselect; restart and remaining time.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t hits;
static void on_signal(int s) {
  (void)s;
  hits++;
}
static int blocked(int s) {
  sigset_t m;
  sigprocmask(SIG_SETMASK, NULL, &m);
  return sigismember(&m, s);
}
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
// Far from the 30 s that a call waits which nothing ends.
static void report(const char* what, int r, double t0, double least) {
  int e = errno;
  double dt = now() - t0;
  printf("%s: %d %s hits %d blocked %d in time %d\n", what, r, r < 0 ? strerrorname_np(e) : "-", (int)hits,
         blocked(SIGUSR1), dt >= least && dt < least + 10);
}
static void alarm_ms(int ms) {
  struct itimerval v = {{0, 0}, {0, ms * 1000}};
  setitimer(ITIMER_REAL, &v, NULL);
}

int main(void) {
  struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &sa, NULL);
  sigaction(SIGALRM, &sa, NULL);
  sigset_t usr1, none, all;
  sigemptyset(&none);
  sigfillset(&all);
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  sigprocmask(SIG_BLOCK, &usr1, NULL);
  int p[2];
  if (pipe(p)) return 1;
  int ep = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN};
  epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e);
  struct pollfd pf = {p[0], POLLIN, 0};
  struct timespec ts = {0, 50000000};
  double t0;

  puts("-- pending and unblocked by the mask");
  raise(SIGUSR1);
  t0 = now();
  report("epoll_pwait", epoll_pwait(ep, &e, 1, 30000, &none), t0, 0);
  raise(SIGUSR1);
  t0 = now();
  report("ppoll", ppoll(&pf, 1, NULL, &none), t0, 0);
  raise(SIGUSR1);
  fd_set in;
  FD_ZERO(&in);
  FD_SET(p[0], &in);
  t0 = now();
  report("pselect", pselect(p[0] + 1, &in, NULL, NULL, NULL, &none), t0, 0);
  printf("set kept %d\n", FD_ISSET(p[0], &in) != 0);
  raise(SIGUSR1);
  t0 = now();
  report("epoll_pwait2", epoll_pwait2(ep, &e, 1, &ts, &none), t0, 0);
  raise(SIGUSR1);
  ts.tv_nsec = 0;
  t0 = now();
  report("ppoll, no time", ppoll(&pf, 1, &ts, &none), t0, 0);
  t0 = now();
  report("ppoll, no time", ppoll(&pf, 1, &ts, &none), t0, 0);

  puts("-- pending but still blocked");
  raise(SIGUSR1);
  ts.tv_nsec = 50000000;
  t0 = now();
  report("epoll_pwait", epoll_pwait(ep, &e, 1, 50, &all), t0, 0.05);
  t0 = now();
  report("ppoll", ppoll(&pf, 1, &ts, NULL), t0, 0.05);
  t0 = now();
  report("pselect", pselect(0, NULL, NULL, NULL, &ts, &all), t0, 0.05);

  puts("-- ready: the signal waits");
  if (write(p[1], "x", 1) != 1) return 1;
  t0 = now();
  report("epoll_pwait", epoll_pwait(ep, &e, 1, 30000, &none), t0, 0);
  t0 = now();
  report("ppoll", ppoll(&pf, 1, NULL, &none), t0, 0);
  char c;
  if (read(p[0], &c, 1) != 1) return 1;
  sigprocmask(SIG_UNBLOCK, &usr1, NULL);
  printf("hits %d\n", (int)hits);

  puts("-- arriving while asleep: never restarted after a handler");
  t0 = now();
  alarm_ms(30);
  report("epoll_wait", epoll_wait(ep, &e, 1, 30000), t0, 0.03);
  t0 = now();
  alarm_ms(30);
  report("poll", poll(&pf, 1, 30000), t0, 0.03);
  t0 = now();
  alarm_ms(30);
  struct timeval tv = {30, 0};
  report("select", select(0, NULL, NULL, NULL, &tv), t0, 0.03);
  printf("left %d\n", tv.tv_sec < 30 && tv.tv_sec >= 20);
  t0 = now();
  alarm_ms(30);
  ts = (struct timespec){30, 0};
  report("raw ppoll", syscall(SYS_ppoll, &pf, 1, &ts, NULL, 8), t0, 0.03);
  printf("left %d\n", ts.tv_sec < 30 && ts.tv_sec >= 20);
  ts = (struct timespec){0, 40000000};
  t0 = now();
  report("raw pselect6", syscall(SYS_pselect6, 0, NULL, NULL, NULL, &ts, NULL), t0, 0.04);
  printf("left %ld\n", ts.tv_nsec);

  puts("-- a stop and continue does not end poll and select");
  fflush(stdout);
  pid_t parent = getpid();
  if (fork() == 0) {
    usleep(20000);
    kill(parent, SIGSTOP);
    usleep(20000);
    kill(parent, SIGCONT);
    usleep(30000);
    kill(parent, SIGSTOP);
    usleep(20000);
    kill(parent, SIGCONT);
    _exit(0);
  }
  t0 = now();
  report("poll", poll(&pf, 1, 60), t0, 0.06);
  tv = (struct timeval){0, 60000};
  t0 = now();
  report("select", select(0, NULL, NULL, NULL, &tv), t0, 0.06);
  return 0;
}
