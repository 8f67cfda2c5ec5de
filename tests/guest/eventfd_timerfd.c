// eventfd and timerfd: counters, semaphores, blocking, intervals, absolute times, fdinfo.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static int put(int fd, uint64_t v) { return write(fd, &v, 8); }
static void get(const char* what, int fd) {
  uint64_t v = 0;
  int r = read(fd, &v, 8);
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %d bytes %llx\n", what, r, (unsigned long long)v);
}
static int ready(int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI, 0};
  poll(&p, 1, 0);
  return p.revents;
}
static void info(int fd, const char* key) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE* f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f))
    if (strncmp(line, key, strlen(key)) == 0) fputs(line, stdout);
  if (f) fclose(f);
}
static void name(int fd) {
  char path[64], link[64] = {0};
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (readlink(path, link, sizeof link - 1) > 0) puts(link);
}
static double now(int clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
static void* reader(void* arg) {
  get("thread", *(int*)arg);
  return NULL;
}

int main(void) {
  struct stat st;
  int e = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
  fstat(e, &st);
  printf("mode %o size %ld flags %o fd %d\n", st.st_mode, (long)st.st_size, fcntl(e, F_GETFL),
         fcntl(e, F_GETFD));
  name(e);
  info(e, "eventfd-count");
  T(eventfd(0, 2));
  get("start", e);
  get("empty", e);
  printf("poll %x\n", ready(e));
  T(put(e, 5));
  T(put(e, 0));
  T(put(e, 1));
  printf("poll %x\n", ready(e));
  get("sum", e);
  T(put(e, UINT64_MAX));
  T(put(e, UINT64_MAX - 1));
  printf("poll %x\n", ready(e));
  T(put(e, 1));
  T(put(e, 0));
  get("max", e);
  char small[4];
  T(read(e, small, 4));
  T(write(e, small, 4));
  T(lseek(e, 0, SEEK_SET));
  char wide[16];
  T(put(e, 7));
  T(read(e, wide, 16));
  int s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
  get("semaphore", s), get("semaphore", s), get("semaphore", s);
  int b = eventfd(0, 0);
  pthread_t th;
  pthread_create(&th, NULL, reader, &b);
  usleep(20000);
  int r = put(b, 9);
  pthread_join(th, NULL);
  printf("put %d\n", r);
  put(b, UINT64_MAX - 1);
  pthread_create(&th, NULL, reader, &b);
  r = put(b, 4);
  pthread_join(th, NULL);
  printf("put %d\n", r);
  get("rest", b);

  puts("-- timerfd");
  T(timerfd_create(99, 0));
  T(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
  T(timerfd_create(CLOCK_MONOTONIC, 1));
  T(timerfd_create(CLOCK_REALTIME_ALARM, 0));
  int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  name(t);
  info(t, "clockid");
  info(t, "it_value");
  printf("flags %o fd %d\n", fcntl(t, F_GETFL), fcntl(t, F_GETFD));
  struct itimerspec v = {{0, 0}, {0, 20000000}}, old;
  get("not armed", t);
  T(read(t, small, 4));
  T(put(t, 1));
  T(timerfd_gettime(t, &old));
  printf("%ld %ld\n", old.it_value.tv_nsec, old.it_interval.tv_nsec);
  T(timerfd_settime(e, 0, &v, NULL));
  T(timerfd_settime(-1, 0, &v, NULL));
  T(timerfd_settime(t, 8, &v, NULL));
  struct itimerspec badv = {{0, 0}, {0, 1000000000}};
  T(timerfd_settime(t, 0, &badv, NULL));
  badv = (struct itimerspec){{-1, 0}, {1, 0}};
  T(timerfd_settime(t, 0, &badv, NULL));
  double t0 = now(CLOCK_MONOTONIC);
  T(timerfd_settime(t, 0, &v, NULL));
  T(timerfd_gettime(t, &old));
  printf("armed %d\n", old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 20000000);
  printf("poll %x\n", ready(t));
  struct pollfd p = {t, POLLIN, 0};
  T(poll(&p, 1, 1000));
  double dt = now(CLOCK_MONOTONIC) - t0;
  printf("in time %d\n", dt >= 0.02 && dt < 1);
  get("expired", t);
  get("read", t);
  T(timerfd_gettime(t, &old));
  printf("%ld %ld\n", old.it_value.tv_nsec, old.it_interval.tv_nsec);
  v = (struct itimerspec){{0, 10000000}, {0, 10000000}};
  T(timerfd_settime(t, 0, &v, NULL));
  usleep(55000);
  uint64_t n = 0;
  if (read(t, &n, 8) != 8) puts("no ticks");
  printf("at least five ticks: %d\n", n >= 5 && n <= 100);
  v.it_value.tv_nsec = v.it_interval.tv_nsec = 0;
  T(timerfd_settime(t, 0, &v, &old));
  printf("old interval %ld\n", old.it_interval.tv_nsec);
  get("disarmed", t);

  r = timerfd_create(CLOCK_REALTIME, 0);
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  ts.tv_nsec += 30000000;
  if (ts.tv_nsec >= 1000000000) ts.tv_sec++, ts.tv_nsec -= 1000000000;
  v = (struct itimerspec){{0, 0}, ts};
  t0 = now(CLOCK_MONOTONIC);
  T(timerfd_settime(r, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &v, NULL));
  get("absolute", r);
  dt = now(CLOCK_MONOTONIC) - t0;
  printf("in time %d\n", dt >= 0.025 && dt < 1);
  v.it_value.tv_sec -= 100;
  T(timerfd_settime(r, TFD_TIMER_ABSTIME, &v, NULL));
  get("in the past", r);
  v = (struct itimerspec){{0, 0}, {0, 1}};
  T(timerfd_settime(r, 0, &v, NULL));
  get("one nanosecond", r);
  return 0;
}
