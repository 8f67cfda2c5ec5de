// dup, dup2, dup3, close, close_range: results, errors, close-on-exec, limits.
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static int same_file(int a, int b) {
  struct stat x, y;
  return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

int main(void) {
  syscall(SYS_close_range, 3, ~0U, 0);
  int p[2];
  T(pipe(p));
  printf("pipe at %d %d\n", p[0], p[1]);
  T(dup(p[0]));
  T(dup(-1));
  T(dup(99));
  T(dup2(p[0], 20));
  T(dup2(p[0], p[0]));
  T(dup2(99, 99));
  T(dup2(99, 20));
  T(dup2(p[0], -1));
  T(dup2(p[0], 1 << 25));
  T(dup3(p[0], p[0], 0));
  T(dup3(p[0], 21, O_CLOEXEC));
  T(dup3(p[0], 22, O_NONBLOCK));
  T(dup3(99, 22, 0));
  T(dup3(p[0], 1 << 25, 0));
  T(fcntl(21, F_GETFD));
  T(fcntl(20, F_GETFD));
  T(dup2(21, 23));
  T(fcntl(23, F_GETFD));
  printf("same file: %d\n", same_file(20, p[0]));
  // Status flags are shared, descriptor flags are not.
  T(fcntl(20, F_SETFL, O_NONBLOCK));
  printf("nonblock through dup: %d\n", (fcntl(p[0], F_GETFL) & O_NONBLOCK) != 0);
  T(fcntl(p[0], F_DUPFD, 30));
  T(fcntl(p[0], F_DUPFD_CLOEXEC, 30));
  T(fcntl(31, F_GETFD));
  T(fcntl(p[0], F_DUPFD, 1 << 25));
  T(fcntl(p[0], F_DUPFD, -1));
  T(fcntl(99, F_DUPFD, 1));

  // dup2 closes what was there: the last writer goes away, the reader sees the end.
  int q[2];
  T(pipe(q));
  T(dup2(p[0], q[1]));
  char c;
  T(read(q[0], &c, 1));

  T(close(20));
  T(close(20));
  T(close(-1));

  struct rlimit lim = {25, 25}, old;
  getrlimit(RLIMIT_NOFILE, &old);
  lim.rlim_max = old.rlim_max;
  T(setrlimit(RLIMIT_NOFILE, &lim));
  int last = -1, r;
  while ((r = dup(0)) >= 0) last = r;
  printf("last below the limit: %d %s\n", last, strerrorname_np(errno));
  T(dup2(0, 24));
  T(dup2(0, 25));
  T(fcntl(0, F_DUPFD, 25));
  T(fcntl(0, F_DUPFD, 24));
  T(pipe(q));
  T(fcntl(31, F_GETFD));  // above the limit but open
  setrlimit(RLIMIT_NOFILE, &old);

  T(syscall(SYS_close_range, 10, 5, 0));
  T(syscall(SYS_close_range, 10, 15, 8));
  T(syscall(SYS_close_range, 10, 15, CLOSE_RANGE_CLOEXEC));
  T(fcntl(12, F_GETFD));
  T(fcntl(16, F_GETFD));
  T(syscall(SYS_close_range, 10, 15, 0));
  T(fcntl(12, F_GETFD));
  T(fcntl(16, F_GETFD));
  T(syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_UNSHARE));
  T(fcntl(3, F_GETFD));
  T(dup(0));

  // A child has its own table but shares the open files.
  T(pipe(p));
  fflush(stdout);
  if (fork() == 0) {
    close(p[0]);
    dup2(p[1], 40);
    _exit(write(40, "x", 1) == 1 ? 0 : 1);
  }
  int status;
  wait(&status);
  printf("child %d\n", status);
  T(fcntl(40, F_GETFD));
  T(read(p[0], &c, 1));
  T(fcntl(p[0], 9999));
  return 0;
}
