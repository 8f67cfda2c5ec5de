// ioctl requests that every descriptor knows, and FIONREAD and ENOTTY by kind of file; SIGIO.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static volatile sig_atomic_t ios, rts;
static void on_io(int s) {
  (void)s;
  ios++;
}
static void on_rt(int s, siginfo_t* i, void* u) {
  (void)s, (void)u;
  rts++;
  printf("code %d band %lx\n", i->si_code, i->si_band);
}

static void blocks(const char* what, int fd) {
  char c;
  int on = 1, off = 0;
  T(ioctl(fd, FIONBIO, &on));
  printf("%s nonblock %d\n", what, (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  T(read(fd, &c, 1));
  T(ioctl(fd, FIONBIO, &off));
  printf("%s nonblock %d\n", what, (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
}

int main(void) {
  static void* volatile bad = (void*)8;
  int p[2], s[2], n;
  if (pipe(p) || socketpair(AF_UNIX, SOCK_STREAM, 0, s)) return 1;
  int file = open("/proc/self/exe", O_RDONLY), dir = open("/", O_RDONLY), null = open("/dev/null", O_RDWR);
  int ev = eventfd(0, 0), path = open("/", O_PATH);
  blocks("pipe", p[0]);
  blocks("socket", s[0]);
  int master = posix_openpt(O_RDWR | O_NOCTTY), inotify = inotify_init(), none = eventfd(0, 0);
  grantpt(master);
  unlockpt(master);
  blocks("terminal", open(ptsname(master), O_RDWR | O_NOCTTY));
  blocks("device file", master);
  blocks("inotify", inotify);
  char eight[8];
  T(ioctl(none, FIONBIO, &(int){1}));
  T(read(none, eight, 8));
  T(ioctl(p[0], FIONBIO, bad));
  T(ioctl(p[0], FIOCLEX));
  T(fcntl(p[0], F_GETFD));
  T(ioctl(p[0], FIONCLEX));
  T(fcntl(p[0], F_GETFD));
  T(ioctl(-1, FIOCLEX));
  T(ioctl(path, FIOCLEX));
  T(ioctl(path, FIONREAD, &n));

  puts("-- FIONREAD");
  if (write(p[1], "hello", 5) != 5 || write(s[1], "hi", 2) != 2) return 1;
  T(ioctl(p[0], FIONREAD, &n));
  printf("%d\n", n);
  T(ioctl(p[1], FIONREAD, &n));
  printf("%d\n", n);
  T(ioctl(s[0], FIONREAD, &n));
  printf("%d\n", n);
  T(ioctl(p[0], FIONREAD, bad));
  lseek(file, -7, SEEK_END);
  T(ioctl(file, FIONREAD, &n));
  printf("%d\n", n);
  lseek(file, 10, SEEK_END);
  T(ioctl(file, FIONREAD, &n));
  printf("%d\n", n);
  T(ioctl(dir, FIONREAD, &n));
  T(ioctl(null, FIONREAD, &n));
  T(ioctl(ev, FIONREAD, &n));

  puts("-- not a terminal");
  struct termios tio;
  struct winsize ws;
  T(ioctl(p[0], TCGETS, &tio));
  T(ioctl(s[0], TCGETS, &tio));
  T(ioctl(file, TCGETS, &tio));
  T(ioctl(null, TIOCGWINSZ, &ws));
  T(ioctl(ev, TIOCGWINSZ, &ws));
  T(ioctl(dir, TIOCGPGRP, &n));
  T(ioctl(p[0], 0x12345678, 0));
  long long size;
  T(ioctl(p[0], FIOQSIZE, &size));
  // Of a memfd: what other file systems count is not what stat(2) shows (overlayfs has 0).
  int mem = memfd_create("five", 0);
  if (write(mem, "hello", 5) != 5) return 1;
  T(ioctl(mem, FIOQSIZE, &size));
  struct stat st;
  fstat(mem, &st);
  printf("%d\n", size == st.st_blocks * 512 && size > 0);

  puts("-- FICLONE");
  // Between memfds: whether the host's file system shares blocks does not matter.
  int other = memfd_create("other", 0);
  struct file_clone_range range = {.src_fd = mem, .src_length = 5};
  T(ioctl(other, FICLONE, mem));
  T(ioctl(other, FICLONERANGE, &range));
  T(ioctl(other, FICLONERANGE, bad));
  T(ioctl(other, FICLONE, -1));
  T(ioctl(other, FICLONE, p[0]));
  T(ioctl(p[1], FICLONE, p[0]));
  T(ioctl(dir, FICLONE, dir));
  T(fcntl(other, F_SETFL, O_APPEND));
  T(ioctl(other, FICLONE, mem));

  puts("-- block size");
  int block_size = 0;
  T(ioctl(p[0], FIGETBSZ, &block_size));
  printf("%d\n", block_size);
  T(ioctl(s[0], FIGETBSZ, &block_size));
  printf("%d\n", block_size);
  T(ioctl(null, FIGETBSZ, &block_size));
  T(ioctl(path, FIGETBSZ, &block_size));
  T(ioctl(p[0], FIGETBSZ, bad));
  T(ioctl(p[0], FIOQSIZE, &block_size));

  puts("-- advice");
  T(posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL) == 0);
  T(syscall(SYS_fadvise64, s[0], 0, 0, POSIX_FADV_WILLNEED));
  T(syscall(SYS_fadvise64, s[0], 0, 0, 77));
  T(syscall(SYS_fadvise64, ev, 0, 0, POSIX_FADV_WILLNEED));
  T(syscall(SYS_fadvise64, p[0], 0, 0, POSIX_FADV_WILLNEED));
  T(syscall(SYS_fadvise64, null, 0, 0, POSIX_FADV_WILLNEED));
  T(syscall(SYS_fadvise64, path, 0, 0, POSIX_FADV_WILLNEED));
  T(sync_file_range(dir, 0, 0, SYNC_FILE_RANGE_WRITE));
  T(sync_file_range(s[0], 0, 0, SYNC_FILE_RANGE_WRITE));
  T(fallocate(s[0], 0, 0, 1));
  T(fallocate(ev, 0, 0, 1));
  T(fallocate(p[1], 0, 0, 1));

  puts("-- SIGIO");
  signal(SIGIO, on_io);
  struct sigaction sa = {.sa_sigaction = on_rt, .sa_flags = SA_SIGINFO};
  sigaction(SIGRTMIN, &sa, NULL);
  int on = 1, off = 0;
  T(fcntl(s[0], F_SETOWN, getpid()));
  T(ioctl(s[0], FIOASYNC, &on));
  printf("async %d\n", (fcntl(s[0], F_GETFL) & O_ASYNC) != 0);
  if (write(s[1], "x", 1) != 1) return 1;
  printf("signals %d\n", ios);
  T(fcntl(s[0], F_SETSIG, SIGRTMIN));
  if (write(s[1], "x", 1) != 1) return 1;
  printf("signals %d %d\n", ios, rts);
  T(ioctl(s[0], FIOASYNC, &off));
  if (write(s[1], "x", 1) != 1) return 1;
  printf("signals %d %d\n", ios, rts);
  T(fcntl(p[0], F_SETOWN, getpid()));
  T(fcntl(p[0], F_SETFL, O_ASYNC));
  if (write(p[1], "x", 1) != 1) return 1;
  printf("signals %d %d\n", ios, rts);
  T(ioctl(null, FIOASYNC, &on));
  T(ioctl(ev, FIOASYNC, &on));
  return 0;
}
