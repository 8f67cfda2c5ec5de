// poll and select: results for many kinds of files, errors, timeouts, bits beyond the table.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
static int p[2];
static void* later(void* arg) {
  usleep(40000);
  if (write(p[1], "x", 1) != 1) puts("?");
  return arg;
}

int main(void) {
  static void* volatile bad = (void*)8;
  if (pipe(p)) return 1;
  int file = open("/proc/self/exe", O_RDONLY), dir = open("/", O_RDONLY), null = open("/dev/null", O_RDWR);
  int path_fd = open("/", O_PATH), ev = eventfd(1, 0);
  struct pollfd f[] = {{p[0], POLLIN, 0},
                       {p[1], POLLOUT, 0},
                       {file, POLLIN | POLLOUT, 0},
                       {dir, POLLIN, 0},
                       {null, POLLIN | POLLPRI, 0},
                       {path_fd, POLLIN, 0},
                       {ev, 0, 0},
                       {ev, 0x7fff, 0},
                       {-1, POLLIN, 0x55},
                       {-500, POLLIN, 0x55},
                       {999, POLLIN, 0},
                       {null, 0x7fff, 0},
                       {p[0], 0x7fff, 0},
                       {p[1], 0x7fff, 0}};
  int n = sizeof f / sizeof f[0];
  T(poll(f, n, -1));
  for (int i = 0; i < n; i++) printf("%d: %x\n", i, f[i].revents);
  T(poll(NULL, 0, 0));
  T(poll(NULL, 0, 10));
  T(poll(bad, 1, 0));
  static volatile nfds_t huge = 0x7fffffff;
  T(poll(f, huge, 0));
  struct rlimit lim, old;
  getrlimit(RLIMIT_NOFILE, &old);
  lim = old;
  lim.rlim_cur = 10;
  setrlimit(RLIMIT_NOFILE, &lim);
  T(poll(f, 10, 0));
  T(poll(f, 11, 0));
  setrlimit(RLIMIT_NOFILE, &old);
  struct timespec ts = {-1, 0};
  T(ppoll(f, 1, &ts, NULL));
  ts = (struct timespec){0, 1000000000};
  T(ppoll(f, 1, &ts, NULL));
  sigset_t none;
  sigemptyset(&none);
  T(syscall(SYS_ppoll, f, 1, NULL, &none, 4));

  double t0 = now();
  T(poll(f, 1, 30));
  double dt = now() - t0;
  printf("in time %d\n", dt >= 0.03 && dt < 1);
  pthread_t th;
  pthread_create(&th, NULL, later, NULL);
  T(poll(f, 1, 5000));
  printf("%x\n", f[0].revents);
  pthread_join(th, NULL);

  puts("-- select");
  fd_set in, out, ex;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_ZERO(&ex);
  FD_SET(p[0], &in), FD_SET(p[1], &out), FD_SET(file, &in), FD_SET(ev, &out), FD_SET(ev, &ex),
      FD_SET(dir, &ex);
  struct timeval tv = {0, 0};
  T(select(32, &in, &out, &ex, &tv));
  printf("%d %d %d %d %d %d\n", FD_ISSET(p[0], &in) != 0, FD_ISSET(p[1], &out) != 0, FD_ISSET(file, &in) != 0,
         FD_ISSET(ev, &out) != 0, FD_ISSET(ev, &ex) != 0, FD_ISSET(dir, &ex) != 0);
  FD_ZERO(&in);
  FD_SET(31, &in);
  T(select(32, &in, NULL, NULL, &tv));
  printf("kept %d\n", FD_ISSET(31, &in) != 0);
  T(select(31, &in, NULL, NULL, &tv));
  T(select(-1, &in, NULL, NULL, &tv));
  T(select(0, NULL, NULL, NULL, &tv));
  T(select(32, bad, NULL, NULL, &tv));
  tv.tv_sec = -1;
  T(select(0, NULL, NULL, NULL, &tv));
  tv = (struct timeval){0, -1};
  T(select(0, NULL, NULL, NULL, &tv));
  tv = (struct timeval){0, 1000000};
  FD_ZERO(&in);
  FD_SET(p[0], &in);
  T(select(p[0] + 1, &in, NULL, NULL, &tv));
  printf("left %d\n", (tv.tv_sec == 1 && tv.tv_usec == 0) || (tv.tv_sec == 0 && tv.tv_usec > 0));
  // Bits above the table (64 descriptors at first) do not matter; with a larger table they do.
  fd_set wide;
  FD_ZERO(&wide);
  FD_SET(500, &wide);
  tv = (struct timeval){0, 0};
  T(select(1024, &wide, NULL, NULL, &tv));
  T(dup2(0, 600));
  FD_SET(500, &wide);
  T(select(1024, &wide, NULL, NULL, &tv));
  char c;
  if (read(p[0], &c, 1) != 1) return 1;
  tv = (struct timeval){0, 30000};
  FD_ZERO(&in);
  FD_SET(p[0], &in);
  t0 = now();
  T(select(p[0] + 1, &in, NULL, NULL, &tv));
  dt = now() - t0;
  printf("in time %d left %ld set %d\n", dt >= 0.03 && dt < 1, (long)tv.tv_usec, FD_ISSET(p[0], &in) != 0);
  close(p[1]);
  FD_SET(p[0], &in);
  T(select(p[0] + 1, &in, NULL, NULL, NULL));
  struct pollfd hup = {p[0], 0, 0};
  T(poll(&hup, 1, -1));
  printf("%x\n", hup.revents);
  return 0;
}
