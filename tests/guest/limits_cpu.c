// RLIMIT_CPU: SIGXCPU when the soft limit is used up, which a handler survives with the limit moved on.
// RLIMIT_RTTIME: the same for a real-time thread that does not sleep. Natively that needs RLIMIT_RTPRIO or
// CAP_SYS_NICE; without it the program prints what getrlimit(2) says of it.
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signals;

static void count(int sig) {
  (void)sig;
  signals++;
}

static double used(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void spin(double seconds) {
  const double end = used() + seconds;
  while (used() < end) {
  }
}
static void say_rttime(const char* what) {
  struct rlimit now;
  getrlimit(RLIMIT_RTTIME, &now);
  printf("RTTIME: %s: signals %d, soft limit %.1f s\n", what, (int)signals, (double)now.rlim_cur / 1e6);
}

static const char RTTIME[] =
    "RTTIME: slept in between: signals 0, soft limit 0.3 s\n"
    "RTTIME: not slept, but yielded: signals 1, soft limit 1.3 s\n"
    "RTTIME: not real-time: signals 1, soft limit 1.3 s\n"
    "RTTIME: then ended by signal 9\n";

static void rttime(void) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    signals = 0;
    signal(SIGXCPU, count);
    if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1}) != 0) _exit(77);
    setrlimit(RLIMIT_RTTIME, &(struct rlimit){300000, 2000000});
    for (int i = 0; i < 3; i++) {
      spin(0.15);
      usleep(1000);
    }
    say_rttime("slept in between");
    for (int i = 0; i < 5; i++) {
      spin(0.1);
      sched_yield();
    }
    say_rttime("not slept, but yielded");
    sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
    spin(1);
    say_rttime("not real-time");
    fflush(stdout);
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1});
    setrlimit(RLIMIT_RTTIME, &(struct rlimit){200000, 400000});
    usleep(1000);
    spin(5);
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    fputs(RTTIME, stdout);
  else
    printf("RTTIME: then ended by signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

int main(void) {
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  pid_t child = fork();
  if (child == 0) {
    signal(SIGXCPU, count);
    setrlimit(RLIMIT_CPU, &(struct rlimit){1, 60});
    while (!signals && used() < 5) {
    }
    struct rlimit now;
    getrlimit(RLIMIT_CPU, &now);
    // Not to the second: the limit goes by ticks, which a busy machine spreads unevenly.
    printf("signal after about a second: %d, soft limit now %d\n", signals == 1 && used() > 0.3 && used() < 4,
           (int)now.rlim_cur);
    fflush(stdout);
    // The hard limit has been used up already.
    setrlimit(RLIMIT_CPU, &(struct rlimit){1, 1});
    while (used() < 5) {
    }
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  printf("then ended by signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  rttime();
  return 0;
}
