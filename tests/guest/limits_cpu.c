// RLIMIT_CPU: SIGXCPU when the soft limit is used up, which a handler survives with the limit moved on.
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
  return 0;
}
