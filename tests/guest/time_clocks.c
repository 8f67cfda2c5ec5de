// Clocks: which exist, their resolution, what may be done with them, that they advance as they should.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char* err(long r) { return r < 0 ? strerrorname_np(errno) : "ok"; }
static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static const struct timespec SHORT = {0, 1000}, BAD = {0, 1000000000};
static long long ns(clockid_t c) {
  struct timespec ts;
  if (syscall(SYS_clock_gettime, c, &ts) != 0) return -1;
  return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}
static void on_signal(int s) { (void)s; }

static void table(void) {
  static const int clocks[] = {0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 100, -2, -6, -3};
  for (unsigned i = 0; i < sizeof clocks / sizeof *clocks; i++) {
    int c = clocks[i];
    struct timespec r = {-1, -1}, now;
    printf("clock %d: res %s", c, err(syscall(SYS_clock_getres, c, &r)));
    printf(" %ld %ld", (long)r.tv_sec, r.tv_nsec);
    printf(", get %s", err(syscall(SYS_clock_gettime, c, &now)));
    printf(", null %s", err(syscall(SYS_clock_getres, c, NULL)));
    printf(", set %s", err(syscall(SYS_clock_settime, c, &SHORT)));
    printf(" %s", err(syscall(SYS_clock_settime, c, &BAD)));
    if (c != 2 && c != -6) printf(", sleep %s", err(syscall(SYS_clock_nanosleep, c, 0, &SHORT, NULL)));
    printf(" %s\n", err(syscall(SYS_clock_nanosleep, c, 0, &BAD, NULL)));
  }
}

static volatile unsigned long burnt;
static void burn(clockid_t c, long long amount) {
  long long end = ns(c) + amount;
  while (ns(c) < end)
    for (int i = 0; i < 10000; i++) burnt++;
}
static void* burner(void* p) {
  burn(CLOCK_THREAD_CPUTIME_ID, 30000000);
  *(clockid_t*)p = (~(unsigned)syscall(SYS_gettid) << 3) | 6;
  return NULL;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  table();
  T(syscall(SYS_clock_gettime, 0, NULL));
  T(syscall(SYS_clock_gettime, 0, (void*)1));
  T(syscall(SYS_clock_getres, 0, (void*)1));
  T(syscall(SYS_clock_settime, 0, NULL));
  T(syscall(SYS_clock_settime, 1, NULL));
  T(syscall(SYS_clock_gettime, (~(1 << 22) << 3) | 2, &(struct timespec){0}));
  pid_t other = fork();
  if (other == 0) {  // another process's clocks, and its threads'
    T(syscall(SYS_clock_gettime, (~(unsigned)getppid() << 3) | 2, &(struct timespec){0}));
    T(syscall(SYS_clock_gettime, (~(unsigned)getppid() << 3) | 6, &(struct timespec){0}));
    _exit(0);
  }
  waitpid(other, NULL, 0);
  T(syscall(SYS_gettimeofday, NULL, NULL));
  T(syscall(SYS_gettimeofday, (void*)1, NULL));
  struct timezone tz = {5, 5};
  struct timeval tv;
  T(syscall(SYS_gettimeofday, &tv, &tz));
  printf("zone %d %d\n", tz.tz_minuteswest, tz.tz_dsttime);
  T(syscall(SYS_settimeofday, NULL, NULL));
  tv.tv_usec = 1000000;
  T(syscall(SYS_settimeofday, &tv, NULL));
  tv.tv_usec = 5;
  T(syscall(SYS_settimeofday, &tv, NULL));
  T(syscall(SYS_settimeofday, (void*)1, NULL));
  time_t now = time(NULL), stored = 0;
  long r = syscall(SYS_time, &stored);
  printf("time: %d %d\n", r - now <= 1, r == stored);
  T(syscall(SYS_time, (void*)1));
  struct timex tx = {.modes = 0};
  printf("adjtimex reads: %d\n", syscall(SYS_adjtimex, &tx) >= 0 && tx.time.tv_sec - now <= 2);
  tx.modes = ADJ_FREQUENCY;
  T(syscall(SYS_adjtimex, &tx));
  tx.modes = 0;
  T(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &tx));
  T(syscall(SYS_clock_adjtime, 12, &tx));
  T(syscall(SYS_adjtimex, (void*)1));

  // The system call and the vDSO agree and go forward.
  static const clockid_t exact[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_REALTIME,
                                    CLOCK_TAI};
  int forward = 1;
  struct timespec a;
  for (int i = 0; i < 1000; i++) {
    const clockid_t c = exact[i % 5];
    clock_gettime(c, &a);
    long long v1 = a.tv_sec * 1000000000LL + a.tv_nsec, k = ns(c);
    clock_gettime(c, &a);
    long long v2 = a.tv_sec * 1000000000LL + a.tv_nsec;
    if (v1 > k || k > v2) forward = 0;
  }
  printf("forward with the vDSO: %d, vDSO there: %d\n", forward, getauxval(AT_SYSINFO_EHDR) != 0);
  clock_gettime(CLOCK_REALTIME, &a);
  long long diff = ns(CLOCK_REALTIME) - (a.tv_sec * 1000000000LL + a.tv_nsec);
  printf("real time agrees: %d\n", diff >= 0 && diff < 500000000);

  // So do the coarse clocks, which never show more than the others, and time(2), which is one of them.
  int coarse = 1, seconds = 1;
  for (int i = 0; i < 2000; i++) {
    clockid_t c = i % 2 ? CLOCK_REALTIME_COARSE : CLOCK_MONOTONIC_COARSE;
    clock_gettime(c, &a);
    long long v1 = a.tv_sec * 1000000000LL + a.tv_nsec, k = ns(c);
    clock_gettime(c, &a);
    long long v2 = a.tv_sec * 1000000000LL + a.tv_nsec;
    if (v1 > k || k > v2 || k > ns(i % 2 ? CLOCK_REALTIME : CLOCK_MONOTONIC)) coarse = 0;
    time_t s1 = time(NULL);
    long s = syscall(SYS_time, NULL);
    if (s1 > s || s > time(NULL)) seconds = 0;
  }
  struct timespec r1, r2;
  clock_getres(CLOCK_REALTIME_COARSE, &r1);
  syscall(SYS_clock_getres, CLOCK_REALTIME_COARSE, &r2);
  printf("coarse clocks agree: %d, seconds %d, ticks %d\n", coarse, seconds, r1.tv_nsec == r2.tv_nsec);
  clockid_t by_pid;
  printf("clock_getcpuclockid: %d", clock_getcpuclockid(0, &by_pid));
  printf(", shows %d\n", ns(by_pid) > 0);

  // CPU time is used by work, not by sleep.
  long long cpu0 = ns(CLOCK_PROCESS_CPUTIME_ID);
  usleep(50000);
  printf("asleep: %d\n", ns(CLOCK_PROCESS_CPUTIME_ID) - cpu0 < 20000000);
  clockid_t id;
  pthread_t t;
  cpu0 = ns(CLOCK_PROCESS_CPUTIME_ID);
  long long own = ns(CLOCK_THREAD_CPUTIME_ID);
  pthread_create(&t, NULL, burner, &id);
  pthread_join(t, NULL);
  printf("another thread's work: process %d, own %d\n", ns(CLOCK_PROCESS_CPUTIME_ID) - cpu0 >= 29000000,
         ns(CLOCK_THREAD_CPUTIME_ID) - own < 15000000);
  T(syscall(SYS_clock_gettime, id, &a));  // that thread is gone

  // Sleeping until a CPU clock shows a value.
  pid_t pid = fork();
  if (pid == 0) {
    burn(CLOCK_PROCESS_CPUTIME_ID, 300000000);
    _exit(0);
  }
  clockid_t child = (~(unsigned)pid << 3) | 2;
  struct timespec until = {0, 60000000};
  usleep(1000);
  r = syscall(SYS_clock_nanosleep, child, TIMER_ABSTIME, &until, NULL);
  long long at = ns(child);
  printf("sleep on a child's clock: %s, %s\n", err(r),
         at < 60000000    ? "early"
         : at < 200000000 ? "in time"
                          : "late");
  kill(pid, 9);
  waitpid(pid, NULL, 0);
  struct sigaction sa = {.sa_handler = on_signal};
  sigaction(SIGALRM, &sa, NULL);
  ualarm(30000, 0);
  struct timespec rem = {-1, -1}, one = {1, 0};
  r = syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &one, &rem);
  printf("own clock: %s, remaining %d\n", err(r), rem.tv_sec * 1000000000LL + rem.tv_nsec > 900000000);
  return 0;
}
