// Futex waits and signals: EINTR, SA_RESTART, stop and continue, with the time that is left.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Of waits that a signal interrupts after 30 ms: far from it, so that load does not matter.
enum { TIMEOUT = 700 };
static uint32_t word;
static volatile int handled;

static long wait_ms(long ms, int op) {
  struct timespec ts = {ms / 1000, ms % 1000 * 1000000};
  if (op == FUTEX_WAIT_BITSET_PRIVATE) {
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_nsec += ms * 1000000;
    ts.tv_sec += ts.tv_nsec / 1000000000;
    ts.tv_nsec %= 1000000000;
  }
  return syscall(SYS_futex, &word, op, 0, ms ? &ts : NULL, NULL, ~0U);
}

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

static void run(const char* name, int flags, long ms, int op) {
  struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = flags};
  sigaction(SIGALRM, &sa, NULL);
  handled = 0;
  double t0 = now();
  arm(30);
  long r = wait_ms(ms, op);
  int e = errno;
  double t = now() - t0;
  printf("%s: %s, handled %d, %s\n", name, r == 0 ? "woken" : strerrorname_np(e), handled,
         t < 29        ? "early"
         : t < TIMEOUT ? "at the signal"
                       : "later");
}

static void* waker(void* p) {
  (void)p;
  usleep((TIMEOUT + 100) * 1000);
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  return NULL;
}

int main(void) {
  run("no restart, no timeout", 0, 0, FUTEX_WAIT_PRIVATE);
  run("no restart, timeout", 0, TIMEOUT, FUTEX_WAIT_PRIVATE);
  run("restart, timeout", SA_RESTART, TIMEOUT, FUTEX_WAIT_PRIVATE);
  run("restart, absolute", SA_RESTART, TIMEOUT, FUTEX_WAIT_BITSET_PRIVATE);
  pthread_t t;
  pthread_create(&t, NULL, waker, NULL);
  run("restart, no timeout", SA_RESTART, 0, FUTEX_WAIT_PRIVATE);
  pthread_join(t, NULL);

  // Stopped and continued: the wait goes on with the rest of its time.
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    double t0 = now();
    long r = wait_ms(400, FUTEX_WAIT_PRIVATE);
    int e = errno;
    double d = now() - t0;
    printf("stopped and continued: %s, %s\n", r == 0 ? "woken" : strerrorname_np(e),
           d < 400    ? "early"
           : d < 2000 ? "in time"
                      : "late");
    fflush(stdout);
    _exit(0);
  }
  usleep(50000);
  kill(pid, SIGSTOP);
  usleep(50000);
  kill(pid, SIGCONT);
  waitpid(pid, NULL, 0);

  // An ignored signal does not end the wait.
  signal(SIGALRM, SIG_IGN);
  arm(20);
  printf("ignored signal: %s\n", wait_ms(60, FUTEX_WAIT_PRIVATE) == 0 ? "woken" : strerrorname_np(errno));
  return 0;
}
