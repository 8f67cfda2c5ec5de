// nanosleep(2) and clock_nanosleep(2): lengths, errors, signals, the remaining time, stop and continue.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char* err(long r) { return r < 0 ? strerrorname_np(errno) : "ok"; }
static void show(const char* what, long r) { printf("%s: %s\n", what, err(r)); }
#define T(call) show(#call, (call))

static volatile int handled;
static void on_alarm(int s) {
  (void)s;
  handled++;
}
static double now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}
static void arm(long ms) {
  struct itimerval it = {{0, 0}, {0, ms * 1000}};
  setitimer(ITIMER_REAL, &it, NULL);
}
static struct timespec span(long ms) { return (struct timespec){ms / 1000, ms % 1000 * 1000000}; }
static struct timespec at(clockid_t c, long ms) {
  struct timespec ts;
  clock_gettime(c, &ts);
  ts.tv_nsec += ms * 1000000;
  ts.tv_sec += ts.tv_nsec / 1000000000;
  ts.tv_nsec %= 1000000000;
  return ts;
}
static const char* about(double t, double want) {
  return t < want - 1 ? "early" : t < want + 60 ? "in time" : "late";
}

static void interrupted(const char* name, int flags, clockid_t c, int abs) {
  struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = flags};
  sigaction(SIGALRM, &sa, NULL);
  handled = 0;
  struct timespec req = abs ? at(c, 200) : span(200), rem = {-1, -1};
  double t0 = now();
  arm(40);
  double begin = now();
  long r = syscall(SYS_clock_nanosleep, c, abs ? TIMER_ABSTIME : 0, &req, &rem);
  const char* e = err(r);
  double slept = now() - begin;  // before the call began, the timer ran already: only both together make 200
  double left = rem.tv_sec < 0 ? -1 : (double)rem.tv_sec * 1e3 + (double)rem.tv_nsec / 1e6;
  printf("%s: %s, handled %d, %s, remaining %s\n", name, e, handled, about(now() - t0, r < 0 ? 40 : 200),
         left < 0 ? "untouched" : about(slept + left, 200));
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct timespec ts = {0, 1000000000}, none = {0, 0}, neg = {-1, 0}, neg2 = {0, -1};
  T(syscall(SYS_nanosleep, &ts, NULL));
  T(syscall(SYS_nanosleep, &neg, NULL));
  T(syscall(SYS_nanosleep, &neg2, NULL));
  T(syscall(SYS_nanosleep, NULL, NULL));
  T(syscall(SYS_nanosleep, &none, NULL));
  T(syscall(SYS_nanosleep, &none, (void*)1));
  T(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, NULL, NULL));
  T(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &none, NULL));
  T(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &none, NULL));
  T(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0x40, &none, NULL));

  static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
  for (int i = 0; i < 4; i++) {
    double t0 = now();
    ts = span(30);
    long r = syscall(SYS_clock_nanosleep, clocks[i], 0, &ts, NULL);
    printf("clock %d relative: %s %s\n", clocks[i], err(r), about(now() - t0, 30));
    t0 = now();
    ts = at(clocks[i], 30);
    r = syscall(SYS_clock_nanosleep, clocks[i], TIMER_ABSTIME, &ts, NULL);
    printf("clock %d absolute: %s %s\n", clocks[i], err(r), about(now() - t0, 30));
  }
  interrupted("relative", 0, CLOCK_MONOTONIC, 0);
  interrupted("relative, SA_RESTART", SA_RESTART, CLOCK_MONOTONIC, 0);
  interrupted("relative real time", 0, CLOCK_REALTIME, 0);
  interrupted("absolute", 0, CLOCK_MONOTONIC, 1);
  interrupted("absolute, SA_RESTART", SA_RESTART, CLOCK_REALTIME, 1);
  signal(SIGALRM, SIG_IGN);
  arm(10);
  ts = span(40);
  T(syscall(SYS_nanosleep, &ts, NULL));
  T(syscall(SYS_restart_syscall));

  // Stopped and continued: the sleep ends at the same moment; twice.
  for (int abs = 0; abs < 2; abs++) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
      double t0 = now();
      ts = abs ? at(CLOCK_MONOTONIC, 200) : span(200);
      long r = syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, abs ? TIMER_ABSTIME : 0, &ts, NULL);
      printf("stopped and continued: %s, %s\n", err(r), about(now() - t0, 200));
      _exit(0);
    }
    for (int i = 0; i < 2; i++) {
      usleep(30000);
      kill(pid, SIGSTOP);
      usleep(30000);
      kill(pid, SIGCONT);
    }
    waitpid(pid, NULL, 0);
  }
  return 0;
}
