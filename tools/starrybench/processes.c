/* Making and ending processes and threads. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

static double c_fork_exit(long n) {
  double start = now();
  for (long i = 0; i < n; ++i) {
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) _exit(0);
    MUST(waitpid(child, NULL, 0) == child);
  }
  return now() - start;
}

/* On its own: what the caller keeps in registers must survive the child's use of its stack. */
__attribute__((noinline)) static pid_t start_true(void) {
  pid_t child = vfork();
  if (child == 0) {
    execl("/bin/true", "true", (char*)NULL);
    _exit(127);
  }
  return child;
}

static double c_vfork_exec(long n) {
  double start = now();
  for (long i = 0; i < n; ++i) {
    int status;
    pid_t child = start_true();
    MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
  }
  return now() - start;
}

static void* nothing(void* arg) { return arg; }

static double c_thread(long n) {
  double start = now();
  for (long i = 0; i < n; ++i) {
    pthread_t t;
    MUST(pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0);
  }
  return now() - start;
}

const struct bench_case process_cases[] = {
    {"fork_exit_wait", 0, 5, c_fork_exit},
    {"vfork_exec_true", 0, 5, c_vfork_exec},
    {"pthread_create_join", 0, 20, c_thread},
    {NULL, 0, 0, NULL},
};
