// timer_create(2) and its relatives: errors, kinds of notification, overruns, clocks, inheritance.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static long create(clockid_t c, struct sigevent* e, int* id) { return syscall(SYS_timer_create, c, e, id); }
static long set(int id, int flags, long ms, long interval_ms, struct itimerspec* old) {
  struct itimerspec it = {{interval_ms / 1000, interval_ms % 1000 * 1000000},
                          {ms / 1000, ms % 1000 * 1000000}};
  return syscall(SYS_timer_settime, id, flags, &it, old);
}
static long delete (int id) { return syscall(SYS_timer_delete, id); }
static long overrun(int id) { return syscall(SYS_timer_getoverrun, id); }

static volatile int count, code, value, timer_id, seen_overrun;
static volatile pid_t handler_tid;
static void handler(int s, siginfo_t* si, void* u) {
  (void)s, (void)u;
  count++;
  code = si->si_code;
  value = si->si_value.sival_int;
  timer_id = si->si_timerid;
  seen_overrun = si->si_overrun;
  handler_tid = (pid_t)syscall(SYS_gettid);
}

static void errors(void) {
  int id = -1;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  T(create(100, &e, &id));
  T(create(CLOCK_MONOTONIC_RAW, &e, &id));
  T(create(CLOCK_REALTIME_COARSE, &e, &id));
  T(create(CLOCK_MONOTONIC, (void*)1, &id));
  T(create(CLOCK_MONOTONIC, &e, (void*)1));
  e.sigev_signo = 0;
  T(create(CLOCK_MONOTONIC, &e, &id));
  e.sigev_signo = 65;
  T(create(CLOCK_MONOTONIC, &e, &id));
  e.sigev_signo = SIGUSR1;
  e.sigev_notify = 77;
  T(create(CLOCK_MONOTONIC, &e, &id));
  e.sigev_notify = SIGEV_THREAD_ID;
  e.sigev_notify_thread_id = 1;
  T(create(CLOCK_MONOTONIC, &e, &id));
  struct itimerspec it = {{0, 0}, {0, 0}};
  T(syscall(SYS_timer_settime, 12345, 0, &it, NULL));
  T(syscall(SYS_timer_settime, 12345, 0, NULL, NULL));
  T(syscall(SYS_timer_settime, 12345, 0, (void*)1, NULL));
  it.it_value.tv_nsec = 1000000000;
  T(syscall(SYS_timer_settime, 12345, 0, &it, NULL));
  T(syscall(SYS_timer_gettime, 12345, &it));
  T(overrun(12345));
  T(delete (12345));
}

static void* wait_forever(void* p) {
  *(volatile pid_t*)p = (pid_t)syscall(SYS_gettid);
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, NULL);
  while (count == 0) usleep(1000);
  return NULL;
}

static volatile unsigned long work;

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &sa, NULL);
  sigaction(SIGALRM, &sa, NULL);
  errors();

  // A signal with a value.
  int id, id2;
  struct sigevent e = {
      .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value = {.sival_int = 42}};
  T(create(CLOCK_MONOTONIC, &e, &id));
  struct itimerspec it;
  T(syscall(SYS_timer_gettime, id, &it));
  printf("new: %ld %ld\n", it.it_value.tv_nsec, it.it_interval.tv_nsec);
  T(set(id, 0, 20, 0, NULL));
  pause();
  printf("once: count %d, code %d, value %d, id %d, overrun %d\n", count, code == SI_TIMER, value,
         timer_id == id, seen_overrun);
  T(syscall(SYS_timer_gettime, id, &it));
  printf("after it: %ld %ld\n", (long)it.it_value.tv_sec, it.it_value.tv_nsec);
  T(set(id, 0, 50000, 3000, NULL));
  T(set(id, 0, 0, 3000, &it));
  printf("old: %d %ld\n", it.it_value.tv_sec == 49, (long)it.it_interval.tv_sec);
  T(syscall(SYS_timer_gettime, id, &it));
  printf("disarmed: %ld %ld\n", (long)it.it_value.tv_sec, (long)it.it_value.tv_nsec);

  // Periodic; then blocked, with overruns.
  count = 0;
  T(set(id, 0, 10, 10, NULL));
  while (count < 3) pause();
  sigset_t set1;
  sigemptyset(&set1);
  sigaddset(&set1, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set1, NULL);
  usleep(100000);
  count = 0;
  sigset_t none;
  sigemptyset(&none);
  sigsuspend(&none);
  printf("blocked for a while: count %d, several overruns %d, same from the call %d\n", count,
         seen_overrun >= 7, overrun(id) == seen_overrun);
  sigprocmask(SIG_UNBLOCK, &set1, NULL);
  T(delete (id));
  T(delete (id));
  count = 0;
  usleep(30000);
  printf("deleted: %d\n", count);

  // The default: SIGALRM with the timer's id as its value.
  T(create(CLOCK_REALTIME, NULL, &id));
  T(set(id, 0, 10, 0, NULL));
  pause();
  printf("default: count %d, value is the id %d\n", count, value == id);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  it = (struct itimerspec){{0, 0}, now};
  count = 0;
  syscall(SYS_timer_settime, id, TIMER_ABSTIME, &it, NULL);  // a moment ago
  usleep(20000);
  printf("in the past: %d\n", count);
  T(delete (id));

  // SIGEV_NONE: only to look at.
  e = (struct sigevent){.sigev_notify = SIGEV_NONE};
  T(create(CLOCK_BOOTTIME, &e, &id));
  T(set(id, 0, 20, 0, NULL));
  T(syscall(SYS_timer_gettime, id, &it));
  printf("running: %d\n", it.it_value.tv_nsec > 0 && it.it_value.tv_nsec <= 20000000);
  usleep(30000);
  T(syscall(SYS_timer_gettime, id, &it));
  printf("over: %ld\n", it.it_value.tv_nsec);
  T(set(id, 0, 20, 1000, NULL));
  usleep(30000);
  T(syscall(SYS_timer_gettime, id, &it));
  printf("next period: %d\n", it.it_value.tv_nsec > 900000000 || it.it_value.tv_sec == 1);
  T(delete (id));

  // To one thread.
  volatile pid_t tid = 0;
  pthread_t t;
  count = 0;
  sigprocmask(SIG_BLOCK, &set1, NULL);
  pthread_create(&t, NULL, wait_forever, (void*)&tid);
  while (tid == 0) usleep(1000);
  e = (struct sigevent){.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
  e.sigev_notify_thread_id = tid;
  T(create(CLOCK_MONOTONIC, &e, &id));
  T(set(id, 0, 10, 0, NULL));
  pthread_join(t, NULL);
  printf("to the thread: %d\n", handler_tid == tid);
  count = 0;
  T(set(id, 0, 10, 0, NULL));  // it is gone
  usleep(30000);
  printf("to nobody: %d\n", count);
  sigprocmask(SIG_UNBLOCK, &set1, NULL);
  usleep(10000);
  T(delete (id));

  // CPU clocks.
  e = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  T(create(CLOCK_PROCESS_CPUTIME_ID, &e, &id));
  T(create(CLOCK_THREAD_CPUTIME_ID, &e, &id2));
  T(set(id, 0, 20, 0, NULL));
  T(set(id2, 0, 40, 0, NULL));
  count = 0;
  usleep(60000);
  printf("CPU timers while asleep: %d\n", count);
  time_t end = time(NULL) + 3;
  while (count < 2 && time(NULL) < end)
    for (int i = 0; i < 10000; i++) work++;
  printf("CPU timers at work: %d\n", count);
  T(delete (id));

  // Not inherited.
  pid_t pid = fork();
  if (pid == 0) {
    T(delete (id2));
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  T(delete (id2));
  return 0;
}
