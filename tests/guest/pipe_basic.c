// Pipes: capacity, atomic writes, end of file, EPIPE and SIGPIPE, packets, sizes, readiness.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static volatile int sigpipes, sigalrms;
static void on_pipe(int s) {
  (void)s;
  sigpipes++;
}
static void on_alrm(int s) {
  (void)s;
  sigalrms++;
}

static char big[1 << 20];
static void* volatile bad = (void*)8;
static volatile int too_many = 1025;

static int ready(int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT, 0};
  poll(&p, 1, 0);
  return p.revents;
}
static int queued(int fd) {
  int n = -1;
  ioctl(fd, FIONREAD, &n);
  return n;
}

static void* slow_reader(void* arg) {
  int fd = *(int*)arg;
  static char buf[30000];
  long total = 0, n;
  while ((n = read(fd, buf, sizeof buf)) > 0) total += n;
  return (void*)total;
}

int main(void) {
  int p[2];
  struct stat st;
  T(pipe2(p, O_NONBLOCK | O_CLOEXEC));
  fstat(p[0], &st);
  printf("mode %o blksize %ld size %ld\n", st.st_mode, (long)st.st_blksize, (long)st.st_size);
  printf("flags %o %o fd flags %d\n", fcntl(p[0], F_GETFL), fcntl(p[1], F_GETFL), fcntl(p[1], F_GETFD));
  T(pipe2(p, 1));
  T(pipe2(bad, 0));
  T(lseek(p[0], 0, SEEK_CUR));
  T(pread(p[0], big, 1, 0));
  T(read(p[1], big, 1));
  T(write(p[0], big, 1));
  T(read(p[0], big, 0));
  T(write(p[1], big, 0));

  puts("-- capacity");
  printf("poll %x %x\n", ready(p[0]), ready(p[1]));
  T(read(p[0], big, 10));
  T(write(p[1], big, sizeof big));
  printf("queued %d poll %x %x\n", queued(p[0]), ready(p[0]), ready(p[1]));
  T(write(p[1], big, 1));
  T(read(p[0], big, 4095));
  printf("poll %x\n", ready(p[1]));
  T(write(p[1], big, 1));
  T(read(p[0], big, 1));
  printf("poll %x\n", ready(p[1]));
  T(write(p[1], big, 5000));
  T(read(p[0], big, sizeof big));
  for (int i = 0; i < 20; i++) {
    long n = write(p[1], big, 3000);
    if (n != 3000) {
      printf("write %d: %ld\n", i, n);
      break;
    }
  }
  printf("queued %d\n", queued(p[0]));
  while (read(p[0], big, sizeof big) > 0) {
  }
  int ones = 0;
  while (write(p[1], big, 1) == 1) ones++;
  printf("ones %d\n", ones);
  while (read(p[0], big, sizeof big) > 0) {
  }

  puts("-- size");
  T(fcntl(p[0], F_GETPIPE_SZ));
  T(fcntl(p[0], F_SETPIPE_SZ, 1));
  T(write(p[1], big, 5000));
  T(fcntl(p[0], F_SETPIPE_SZ, 20000));
  T(write(p[1], big, 50000));
  T(fcntl(p[1], F_SETPIPE_SZ, 8192));
  T(fcntl(p[1], F_GETPIPE_SZ));
  T(fcntl(p[1], F_SETPIPE_SZ, 1 << 20));
  T(fcntl(p[1], F_SETPIPE_SZ, (1 << 20) + 1));
  T(fcntl(p[1], F_SETPIPE_SZ, 0x80000001u));
  T(fcntl(0, F_GETPIPE_SZ));

  puts("-- ends");
  signal(SIGPIPE, on_pipe);
  T(close(p[0]));
  printf("poll %x\n", ready(p[1]));
  T(write(p[1], "x", 1));
  T(write(p[1], "x", 0));
  printf("sigpipe %d\n", sigpipes);
  T(close(p[1]));
  T(pipe(p));
  T(write(p[1], "rest", 4));
  T(close(p[1]));
  printf("poll %x\n", ready(p[0]));
  T(read(p[0], big, 3));
  T(read(p[0], big, 3));
  printf("poll %x\n", ready(p[0]));
  T(read(p[0], big, 3));
  close(p[0]);

  puts("-- packets");
  T(pipe2(p, O_DIRECT | O_NONBLOCK));
  printf("flags %o %o\n", fcntl(p[0], F_GETFL), fcntl(p[1], F_GETFL));
  T(write(p[1], "hello", 5));
  T(write(p[1], "world", 5));
  T(write(p[1], big, 5000));
  T(read(p[0], big, 2));
  T(read(p[0], big, 100));
  T(read(p[0], big, 9000));
  T(read(p[0], big, 9000));
  T(read(p[0], big, 9000));
  ones = 0;
  while (write(p[1], big, 1) == 1) ones++;
  printf("packets %d\n", ones);
  close(p[0]);
  close(p[1]);

  puts("-- blocking");
  T(pipe(p));
  pthread_t th;
  pthread_create(&th, NULL, slow_reader, &p[0]);
  T(write(p[1], big, sizeof big));
  close(p[1]);
  void* total;
  pthread_join(th, &total);
  printf("reader got %ld\n", (long)total);
  close(p[0]);

  T(pipe(p));
  struct sigaction sa = {.sa_handler = on_alrm};
  sigaction(SIGALRM, &sa, NULL);
  ualarm(20000, 0);
  T(read(p[0], big, 1));
  ualarm(20000, 0);
  T(write(p[1], big, 100000));
  ualarm(20000, 0);
  T(write(p[1], big, 10));
  printf("alarms %d\n", sigalrms);

  puts("-- vectors and faults");
  while (queued(p[0]) > 0) read(p[0], big, sizeof big);
  struct iovec v[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
  T(writev(p[1], v, 3));
  char x[2], y[10];
  struct iovec w[2] = {{x, 2}, {y, 10}};
  T(readv(p[0], w, 2));
  printf("%.2s|%.3s\n", x, y);
  T(write(p[1], bad, 4));
  T(writev(p[1], v, too_many));
  T(writev(p[1], bad, 2));
  struct iovec neg = {big, (size_t)-1};
  T(writev(p[1], &neg, 1));
  T(write(p[1], "data", 4));
  T(read(p[0], bad, 4));
  printf("queued %d\n", queued(p[0]));
  return 0;
}
