// epoll: triggers, one-shot, order, errors, nesting, descriptors that are dup'ed and closed.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static int ctl(int ep, int op, int fd, uint32_t events, uint64_t data) {
  struct epoll_event e = {.events = events, .data.u64 = data};
  return epoll_ctl(ep, op, fd, &e);
}
static void waits(const char* what, int ep, int max, int ms) {
  struct epoll_event e[16];
  int n = epoll_wait(ep, e, max, ms);
  printf("%s:", what);
  if (n < 0) printf(" %s", strerrorname_np(errno));
  for (int i = 0; i < n; i++) printf(" %d/%x", (int)e[i].data.u64, e[i].events);
  puts(n == 0 ? " -" : "");
}
static void tick(int fd) {
  uint64_t one = 1;
  if (write(fd, &one, 8) != 8) puts("write failed");
}
static void drain(int fd) {
  uint64_t v;
  if (read(fd, &v, 8) != 8) puts("nothing to drain");
}
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

struct waiter {
  int ep, got;
};
static void* wait_thread(void* arg) {
  struct waiter* w = arg;
  struct epoll_event e;
  w->got = epoll_wait(w->ep, &e, 1, 500);
  return NULL;
}
static void* later(void* arg) {
  usleep(30000);
  tick(*(int*)arg);
  return NULL;
}

int main(void) {
  static void* volatile bad = (void*)8;
  int ep = epoll_create1(EPOLL_CLOEXEC);
  printf("cloexec %d flags %o\n", fcntl(ep, F_GETFD), fcntl(ep, F_GETFL));
  T(epoll_create1(1));
  T(epoll_create(0));
  T(epoll_create(-1));
  struct stat st;
  fstat(ep, &st);
  printf("mode %o\n", st.st_mode);
  char link[64] = {0}, path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", ep);
  T(readlink(path, link, sizeof link - 1));
  puts(link);

  puts("-- errors");
  int a = eventfd(0, EFD_NONBLOCK), b = eventfd(0, EFD_NONBLOCK), c = eventfd(0, EFD_NONBLOCK);
  int file = open("/proc/self/exe", O_RDONLY), dir = open("/", O_RDONLY), path_fd = open("/", O_PATH);
  int null = open("/dev/null", O_RDWR);
  T(ctl(ep, EPOLL_CTL_ADD, file, EPOLLIN, 0));
  T(ctl(ep, EPOLL_CTL_ADD, dir, EPOLLIN, 0));
  T(ctl(ep, EPOLL_CTL_ADD, null, EPOLLIN, 0));
  T(ctl(ep, EPOLL_CTL_ADD, path_fd, EPOLLIN, 0));
  T(ctl(ep, EPOLL_CTL_ADD, -1, EPOLLIN, 0));
  T(ctl(-1, EPOLL_CTL_ADD, a, EPOLLIN, 0));
  T(ctl(a, EPOLL_CTL_ADD, b, EPOLLIN, 0));
  T(ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 0));
  T(ctl(ep, 77, a, EPOLLIN, 0));
  T(epoll_ctl(ep, EPOLL_CTL_ADD, a, NULL));
  T(epoll_ctl(ep, EPOLL_CTL_DEL, a, NULL));
  T(ctl(ep, EPOLL_CTL_MOD, a, EPOLLIN, 0));
  T(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1));
  T(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1));
  T(epoll_ctl(ep, EPOLL_CTL_DEL, a, NULL));
  struct epoll_event e[16];
  T(epoll_wait(ep, e, 0, 0));
  static volatile int minus_one = -1;
  T(epoll_wait(ep, e, minus_one, 0));
  T(epoll_wait(a, e, 1, 0));
  T(epoll_wait(-1, e, 1, 0));
  T(epoll_wait(ep, e, 1, 0));

  puts("-- level, edge, one-shot");
  ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1);
  ctl(ep, EPOLL_CTL_ADD, b, EPOLLIN | EPOLLET, 2);
  ctl(ep, EPOLL_CTL_ADD, c, EPOLLIN | EPOLLONESHOT, 3);
  waits("idle", ep, 16, 0);
  tick(c), tick(a), tick(b);
  waits("first", ep, 16, 0);
  waits("second", ep, 16, 0);
  tick(b), tick(c);
  waits("again", ep, 16, 0);
  ctl(ep, EPOLL_CTL_MOD, c, EPOLLIN | EPOLLONESHOT, 3);
  ctl(ep, EPOLL_CTL_MOD, b, EPOLLIN | EPOLLET, 2);
  waits("modified", ep, 16, 0);
  drain(a), drain(b), drain(c);
  waits("drained", ep, 16, 0);
  ctl(ep, EPOLL_CTL_MOD, a, EPOLLOUT, 1);
  waits("out", ep, 16, 0);
  ctl(ep, EPOLL_CTL_MOD, a, 0, 1);
  waits("nothing wanted", ep, 16, 0);

  puts("-- rotation");
  ctl(ep, EPOLL_CTL_MOD, a, EPOLLIN, 1);
  ctl(ep, EPOLL_CTL_MOD, b, EPOLLIN, 2);
  ctl(ep, EPOLL_CTL_MOD, c, EPOLLIN, 3);
  tick(a), tick(b), tick(c);
  for (int i = 0; i < 4; i++) waits("two of three", ep, 2, 0);
  drain(b);
  for (int i = 0; i < 2; i++) waits("one", ep, 1, 0);
  T(epoll_wait(ep, bad, 2, 0));
  waits("after a fault", ep, 16, 0);
  drain(a), drain(c);

  puts("-- descriptors");
  tick(a);
  int d = dup(a);
  T(ctl(ep, EPOLL_CTL_ADD, d, EPOLLIN, 4));
  waits("dup", ep, 16, 0);
  close(a);
  waits("original closed", ep, 16, 0);
  T(ctl(ep, EPOLL_CTL_MOD, a, EPOLLIN, 1));
  T(ctl(ep, EPOLL_CTL_DEL, d, 0, 0));
  waits("dup removed", ep, 16, 0);
  close(d);
  waits("all closed", ep, 16, 0);

  puts("-- pipes and sockets");
  int p[2], s[2];
  if (pipe2(p, O_NONBLOCK) || socketpair(AF_UNIX, SOCK_STREAM, 0, s)) return 1;
  ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLET, 10);
  ctl(ep, EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLET, 11);
  waits("pipe", ep, 16, 0);
  if (write(p[1], "x", 1) != 1) return 1;
  waits("one byte", ep, 16, 0);
  if (write(p[1], "y", 1) != 1) return 1;
  waits("another", ep, 16, 0);
  char buf[70000];
  memset(buf, 0, sizeof buf);
  printf("read %zd\n", read(p[0], buf, 1));
  waits("after read", ep, 16, 0);
  while (write(p[1], buf, sizeof buf) > 0) {
  }
  waits("full", ep, 16, 0);
  printf("read %zd\n", read(p[0], buf, 5000));
  waits("space", ep, 16, 0);
  close(p[1]);
  waits("writer closed", ep, 16, 0);
  close(p[0]);
  int q[2];
  if (pipe(q)) return 1;
  ctl(ep, EPOLL_CTL_ADD, q[1], 0, 12);  // errors come unasked
  waits("reader there", ep, 16, 0);
  close(q[0]);
  waits("reader closed", ep, 16, 0);
  close(q[1]);
  ctl(ep, EPOLL_CTL_ADD, s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP, 20);
  waits("socket", ep, 16, 0);
  shutdown(s[1], SHUT_WR);
  waits("peer shut down", ep, 16, 0);
  close(s[1]);
  waits("peer closed", ep, 16, 0);
  close(s[0]);
  waits("closed", ep, 16, 0);

  puts("-- nesting");
  int eps[7];
  for (int i = 0; i < 7; i++) eps[i] = epoll_create1(0);
  for (int i = 0; i < 6; i++) {
    printf("%d in %d: ", i + 1, i);
    T(ctl(eps[i], EPOLL_CTL_ADD, eps[i + 1], EPOLLIN, i));
  }
  T(ctl(eps[3], EPOLL_CTL_ADD, eps[0], EPOLLIN, 9));
  ctl(eps[2], EPOLL_CTL_ADD, b, EPOLLIN, 5);
  waits("outer", eps[0], 16, 0);
  tick(b);
  waits("outer", eps[0], 16, 0);
  waits("inner", eps[2], 16, 0);
  struct pollfd pf = {eps[0], POLLIN, 0};
  T(poll(&pf, 1, 0));
  printf("%x\n", pf.revents);
  drain(b);
  waits("outer", eps[0], 16, 0);
  T(ctl(eps[0], EPOLL_CTL_MOD, eps[1], EPOLLIN | EPOLLET, 0));
  tick(b);
  waits("edge", eps[0], 16, 0);
  waits("edge", eps[0], 16, 0);
  drain(b);

  puts("-- exclusive");
  T(ctl(ep, EPOLL_CTL_ADD, eps[6], EPOLLIN | EPOLLEXCLUSIVE, 0));
  int x = eventfd(0, EFD_NONBLOCK);
  T(ctl(ep, EPOLL_CTL_ADD, x, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 0));
  T(ctl(ep, EPOLL_CTL_ADD, x, EPOLLIN | EPOLLEXCLUSIVE, 0));
  T(ctl(ep, EPOLL_CTL_MOD, x, EPOLLIN, 0));
  T(ctl(ep, EPOLL_CTL_MOD, x, EPOLLIN | EPOLLEXCLUSIVE, 0));
  T(ctl(ep, EPOLL_CTL_DEL, x, 0, 0));
  struct waiter w[3];
  pthread_t th[3];
  for (int exclusive = 0; exclusive < 2; exclusive++) {
    for (int i = 0; i < 3; i++) {
      w[i].ep = epoll_create1(0);
      ctl(w[i].ep, EPOLL_CTL_ADD, x, EPOLLIN | EPOLLET | (exclusive ? EPOLLEXCLUSIVE : 0), 0);
      pthread_create(&th[i], NULL, wait_thread, &w[i]);
    }
    usleep(120000);
    tick(x);
    int woken = 0;
    for (int i = 0; i < 3; i++) {
      pthread_join(th[i], NULL);
      woken += w[i].got;
      close(w[i].ep);
    }
    printf("exclusive %d: woken %d\n", exclusive, woken);
    drain(x);
  }

  puts("-- time");
  double t0 = now();
  waits("40 ms", b, 1, 40);
  waits("40 ms", ep, 1, 40);
  double dt = now() - t0;
  printf("in time: %d\n", dt >= 0.04 && dt < 1);
  struct timespec ts = {0, 30000000};
  t0 = now();
  T(epoll_pwait2(ep, e, 1, &ts, NULL));
  dt = now() - t0;
  printf("in time: %d\n", dt >= 0.03 && dt < 1);
  ts.tv_nsec = 1000000000;
  T(epoll_pwait2(ep, e, 1, &ts, NULL));
  ctl(ep, EPOLL_CTL_ADD, x, EPOLLIN, 30);
  pthread_create(&th[0], NULL, later, &x);
  waits("woken", ep, 1, -1);
  pthread_join(th[0], NULL);

  // A child shares the epoll; its copy of the descriptor keeps the watch alive.
  fflush(stdout);
  if (fork() == 0) {
    usleep(100000);
    _exit(0);
  }
  close(x);
  waits("closed here, open in the child", ep, 1, 0);
  wait(NULL);
  waits("child gone", ep, 1, 0);
  return 0;
}
