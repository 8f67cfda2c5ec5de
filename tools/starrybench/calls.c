/* Calls that need nothing but the kernel's own state. */
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "cases.h"

#define LOOP(call)                   \
  double start = now();              \
  for (long i = 0; i < n; ++i) call; \
  return now() - start

static double c_getpid(long n) { LOOP(getpid()); }
static double c_gettid(long n) { LOOP(gettid()); }
static double c_getuid(long n) { LOOP(getuid()); }
static double c_getppid(long n) { LOOP(getppid()); }

static int temp_file(void) {
  static int fd = -1;
  if (fd < 0) {
    char path[] = "bench.XXXXXX";
    MUST((fd = mkstemp(path)) >= 0);
    unlink(path);
  }
  return fd;
}

static double c_lseek(long n) {
  int fd = temp_file();
  LOOP(lseek(fd, 0, SEEK_SET));
}

static double c_fcntl(long n) {
  int fd = temp_file();
  LOOP(fcntl(fd, F_GETFL));
}

static double c_futex_wake(long n) {
  static uint32_t word;
  LOOP(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1));
}

static double c_epoll_ready(long n) {
  static int ep = -1;
  if (ep < 0) {
    int e = eventfd(1, 0);
    MUST((ep = epoll_create1(0)) >= 0);
    struct epoll_event ev = {.events = EPOLLIN};
    MUST(epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev) == 0);
  }
  struct epoll_event out;
  LOOP(MUST(epoll_wait(ep, &out, 1, -1) == 1));
}

static double c_zero_read(long n) {
  static int fd = -1;
  if (fd < 0) MUST((fd = open("/dev/zero", O_RDONLY)) >= 0);
  char c;
  LOOP(MUST(read(fd, &c, 1) == 1));
}

static double c_sigprocmask(long n) {
  sigset_t set;
  sigemptyset(&set);
  LOOP(sigprocmask(SIG_SETMASK, &set, NULL));
}

static volatile sig_atomic_t seen;
static void on_signal(int sig) { seen += sig != 0; }

static double c_signal_self(long n) {
  signal(SIGUSR1, on_signal);
  LOOP(raise(SIGUSR1));
}

static double c_timerfd_tick(long n) {
  int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  MUST(fd >= 0);
  double start = now();
  for (long i = 0; i < n; ++i) {
    struct itimerspec t = {.it_value = {0, 20000}};
    uint64_t ticks;
    MUST(timerfd_settime(fd, 0, &t, NULL) == 0 && read(fd, &ticks, 8) == 8);
  }
  double took = now() - start;
  close(fd);
  return took;
}

const struct bench_case call_cases[] = {
    {"getpid", 0, 1000, c_getpid},
    {"gettid", 0, 1000, c_gettid},
    {"getuid", 0, 1000, c_getuid},
    {"getppid", 0, 1000, c_getppid},
    {"lseek", 0, 1000, c_lseek},
    {"fcntl", 0, 1000, c_fcntl},
    {"futex_wake", 0, 1000, c_futex_wake},
    {"epoll_ready", 0, 1000, c_epoll_ready},
    {"zero_read", 0, 1000, c_zero_read},
    {"sigprocmask", 0, 1000, c_sigprocmask},
    {"signal_self", 0, 500, c_signal_self},
    {"timerfd_tick", 0, 50, c_timerfd_tick},
    {NULL, 0, 0, NULL},
};
