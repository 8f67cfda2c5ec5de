// splice, tee, vmsplice, and named pipes.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static void text(const char* what, int fd) {
  char b[64];
  int n = read(fd, b, sizeof b);
  printf("%s: %.*s\n", what, n > 0 ? n : 0, b);
}
static int queued(int fd) {
  int n = -1;
  ioctl(fd, FIONREAD, &n);
  return n;
}
static void* open_writer(void* arg) {
  usleep(30000);
  int fd = open(arg, O_WRONLY);
  if (write(fd, "from the thread", 15) != 15) puts("?");
  close(fd);
  return NULL;
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  static void* volatile bad = (void*)8;
  int p[2], q[2], s[2];
  if (pipe2(p, O_NONBLOCK) || pipe2(q, O_NONBLOCK) || socketpair(AF_UNIX, SOCK_STREAM, 0, s)) return 1;
  char name[] = "splice.XXXXXX";
  int f = mkstemp(name), ap = open(name, O_WRONLY | O_APPEND);
  if (write(f, "0123456789", 10) != 10) return 1;

  puts("-- file to pipe");
  loff_t off = 2;
  T(splice(f, &off, p[1], NULL, 4, 0));
  printf("off %ld pos %ld\n", (long)off, (long)lseek(f, 0, SEEK_CUR));
  text("pipe", p[0]);
  lseek(f, 7, SEEK_SET);
  T(splice(f, NULL, p[1], NULL, 100, 0));
  printf("pos %ld\n", (long)lseek(f, 0, SEEK_CUR));
  text("pipe", p[0]);
  T(splice(f, NULL, p[1], NULL, 100, 0));

  puts("-- pipe to file");
  if (write(p[1], "abcdef", 6) != 6) return 1;
  off = 20;
  T(splice(p[0], NULL, f, &off, 4, 0));
  printf("off %ld\n", (long)off);
  lseek(f, 0, SEEK_SET);
  T(splice(p[0], NULL, f, NULL, 100, 0));
  T(splice(p[0], NULL, f, NULL, 100, 0));
  char b[32] = {0};
  T(pread(f, b, 32, 0));
  for (int i = 0; i < 24; i++) putchar(b[i] ? b[i] : '.');
  puts("");

  puts("-- pipe to pipe, tee");
  if (write(p[1], "hello world", 11) != 11) return 1;
  T(tee(p[0], q[1], 5, 0));
  T(splice(p[0], NULL, q[1], NULL, 6, 0));
  text("p", p[0]);
  text("q", q[0]);
  T(tee(p[0], q[1], 5, 0));
  T(splice(p[0], NULL, q[1], NULL, 6, 0));

  puts("-- sockets");
  if (write(s[1], "via socket", 10) != 10) return 1;
  T(splice(s[0], NULL, p[1], NULL, 100, 0));
  T(splice(p[0], NULL, s[0], NULL, 3, 0));
  text("back", s[1]);
  text("rest", p[0]);

  puts("-- errors");
  T(splice(f, NULL, f, NULL, 10, 0));
  T(splice(p[0], NULL, p[1], NULL, 10, 0));
  T(splice(f, NULL, p[0], NULL, 10, 0));
  T(splice(p[1], NULL, q[1], NULL, 10, 0));
  T(splice(p[0], &off, f, NULL, 10, 0));
  T(splice(f, NULL, p[1], &off, 10, 0));
  T(splice(f, NULL, p[1], NULL, 10, 64));
  T(splice(f, NULL, p[1], NULL, 0, 64));
  T(splice(-1, NULL, p[1], NULL, 10, 0));
  T(splice(f, bad, p[1], NULL, 10, 0));
  off = 0;
  T(splice(s[0], &off, p[1], NULL, 10, 0));
  if (write(p[1], "x", 1) != 1) return 1;
  T(splice(p[0], NULL, ap, NULL, 1, 0));
  text("left", p[0]);
  T(tee(f, p[1], 10, 0));
  T(tee(p[0], p[1], 10, 0));
  T(tee(p[0], q[1], 10, 64));

  puts("-- vmsplice");
  struct iovec v[2] = {{"vm", 2}, {"splice", 6}};
  T(vmsplice(p[1], v, 2, 0));
  text("pipe", p[0]);
  char big[70000];
  memset(big, 'v', sizeof big);
  struct iovec w = {big, 3};
  T(write(p[1], "reverse", 7));
  T(vmsplice(p[0], &w, 1, 0));
  printf("%.3s\n", big);
  T(vmsplice(f, v, 2, 0));
  T(vmsplice(p[1], v, 2000, 0));
  T(vmsplice(p[1], bad, 1, 0));
  text("pipe", p[0]);

  puts("-- closed and full");
  while (write(p[1], big, sizeof big) > 0) {
  }
  T(splice(f, NULL, p[1], NULL, 10, SPLICE_F_NONBLOCK));
  T(splice(p[0], NULL, q[1], NULL, 1 << 20, 0));
  printf("p %d q %d\n", queued(p[0]), queued(q[0]));
  close(q[0]);
  lseek(f, 0, SEEK_SET);
  T(splice(f, NULL, q[1], NULL, 10, 0));
  close(p[1]);
  T(splice(p[0], NULL, s[0], NULL, 10, 0));

  puts("-- fifo");
  unlink(name);
  T(mkfifo(name, 0600));
  T(open(name, O_WRONLY | O_NONBLOCK));
  pthread_t th;
  pthread_create(&th, NULL, open_writer, name);
  int r = open(name, O_RDONLY);
  printf("opened %d\n", r >= 0);
  pthread_join(th, NULL);
  text("fifo", r);
  T(read(r, b, 1));
  struct stat st;
  fstat(r, &st);
  printf("mode %o nlink %d\n", st.st_mode, (int)st.st_nlink);
  close(r);
  r = open(name, O_RDONLY | O_NONBLOCK);
  struct pollfd pf = {r, POLLIN, 0};
  T(poll(&pf, 1, 0));
  T(read(r, b, 1));
  int both = open(name, O_RDWR);
  T(write(both, "both", 4));
  T(poll(&pf, 1, 0));
  printf("%x\n", pf.revents);
  text("fifo", r);
  T(read(r, b, 1));
  close(both);
  T(poll(&pf, 1, 0));
  printf("%x\n", pf.revents);
  unlink(name);

  // Files that cannot be spliced say so at once, also when the pipe is empty.
  sigset_t none;
  sigemptyset(&none);
  if (pipe(q)) return 1;
  const struct {
    const char* name;
    int fd;
  } other[] = {{"directory", open(".", O_RDONLY)},   {"epoll", epoll_create1(0)},
               {"eventfd", eventfd(1, 0)},           {"signalfd", signalfd(-1, &none, 0)},
               {"timerfd", timerfd_create(1, 0)},    {"inotify", inotify_init()},
               {"pidfd", (int)syscall(SYS_pidfd_open, getpid(), 0)}};
  for (unsigned i = 0; i < sizeof other / sizeof *other; i++) {
    long in = splice(other[i].fd, NULL, q[1], NULL, 1, 0);
    printf("%s: from %s", other[i].name, in < 0 ? strerrorname_np(errno) : "ok");
    long out = splice(q[0], NULL, other[i].fd, NULL, 1, 0);
    printf(", to %s\n", out < 0 ? strerrorname_np(errno) : "ok");
  }
  return 0;
}
