// Pseudo-terminals: opening, modes, line editing, echo, end of file, packet mode, hang-up.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

static void show(const char* what, const char* data, ssize_t n) {
  printf("%s: ", what);
  if (n < 0) {
    printf("%s\n", strerror(errno));
    return;
  }
  printf("%zd \"", n);
  for (ssize_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)data[i];
    if (c >= 32 && c < 127)
      putchar(c);
    else
      printf("\\%03o", c);
  }
  printf("\"\n");
}

static void result(const char* what, long r) {
  printf("%s: %ld%s%s\n", what, r, r < 0 ? " " : "", r < 0 ? strerror(errno) : "");
}

// What arrives is handled by a thread of the kernel natively: give it a moment.
static void readsome(const char* what, int fd) {
  char buf[256];
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, 2000);
  usleep(10000);
  show(what, buf, read(fd, buf, sizeof buf));
}

static void type(int m, const char* s) {
  if (write(m, s, strlen(s)) < 0) perror("type");
  usleep(30000);
}

static void events(const char* what, int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI, 0};
  poll(&p, 1, 0);
  printf("%s:%s%s%s%s%s\n", what, p.revents & POLLIN ? " IN" : "", p.revents & POLLOUT ? " OUT" : "",
         p.revents & POLLPRI ? " PRI" : "", p.revents & POLLHUP ? " HUP" : "", p.revents & POLLERR ? " ERR" : "");
}

int main(void) {
  int m = posix_openpt(O_RDWR | O_NOCTTY);
  int locked = -1, n = 0;
  result("TIOCGPTLCK", ioctl(m, TIOCGPTLCK, &locked));
  printf("locked %d\n", locked);
  events("fresh master", m);
  int s = open(ptsname(m), O_RDWR | O_NOCTTY);
  printf("open locked: %s\n", s < 0 ? strerror(errno) : "ok");
  printf("grant %d unlock %d\n", grantpt(m), unlockpt(m));
  s = open(ptsname(m), O_RDWR | O_NOCTTY);
  printf("open: %s\n", s < 0 ? strerror(errno) : "ok");
  struct stat st, link;
  fstat(s, &st);
  stat(ptsname(m), &link);
  printf("chr %d mode %o major %u same %d owner %d\n", S_ISCHR(st.st_mode), st.st_mode & 0707, major(st.st_rdev),
         st.st_ino == link.st_ino && st.st_dev == link.st_dev, st.st_uid == getuid());
  char name[64];
  printf("isatty %d %d ttyname %d\n", isatty(s), isatty(m), ttyname_r(s, name, sizeof name) == 0 && !strcmp(name, ptsname(m)));

  struct termios t;
  tcgetattr(s, &t);
  printf("modes %o %o %o %o\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
  for (int i = 0; i < 17; i++) printf("%d ", t.c_cc[i]);
  printf("speed %d %d\n", cfgetispeed(&t) == B38400, cfgetospeed(&t) == B38400);
  struct winsize w = {30, 90, 1, 2}, got;
  printf("size %d ", ioctl(m, TIOCSWINSZ, &w));
  ioctl(s, TIOCGWINSZ, &got);
  printf("%d %d %d %d\n", got.ws_row, got.ws_col, got.ws_xpixel, got.ws_ypixel);

  type(m, "hexlo\b\x7f\x7f\x7fllo\r");
  ioctl(s, FIONREAD, &n);
  printf("FIONREAD %d\n", n);
  events("slave", s);
  readsome("line", s);
  readsome("echo", m);
  type(m, "one two three\x17\x17" "2\x04");
  readsome("before EOF", s);
  readsome("echo", m);
  type(m, "\x04");
  readsome("EOF", s);
  type(m, "a\tb\x15\x16\x03z\n");
  readsome("literal", s);
  readsome("echo", m);
  type(m, "abcdef\n");
  char few[3];
  show("part", few, read(s, few, 3));
  readsome("rest", s);
  readsome("echo", m);

  result("write", write(s, "x\ny\n", 4));
  readsome("output", m);

  // Stop and start.
  fcntl(s, F_SETFL, O_RDWR | O_NONBLOCK);
  type(m, "\x13");
  result("write while stopped", write(s, "held", 4));
  type(m, "\x11");
  result("write again", write(s, "held", 4));
  readsome("output", m);
  printf("tcflow %d ", tcflow(s, TCOOFF));
  result("write", write(s, "held", 4));
  printf("tcflow %d\n", tcflow(s, TCOON));

  // Raw modes.
  cfmakeraw(&t);
  t.c_cc[VMIN] = 3;
  tcsetattr(s, TCSANOW, &t);
  type(m, "ab");
  events("two of VMIN 3", s);
  fcntl(s, F_SETFL, O_RDWR);
  type(m, "\r");
  events("three of VMIN 3", s);
  readsome("raw", s);
  t.c_cc[VMIN] = 0;
  t.c_cc[VTIME] = 1;
  tcsetattr(s, TCSANOW, &t);
  show("VTIME", few, read(s, few, 3));
  t.c_cc[VTIME] = 0;
  tcsetattr(s, TCSAFLUSH, &t);
  show("VMIN 0 VTIME 0", few, read(s, few, 3));
  type(m, "lost");
  printf("tcflush %d\n", tcflush(s, TCIFLUSH));
  show("flushed", few, read(s, few, 3));
  result("raw write", write(s, "r\n", 2));
  ioctl(m, FIONREAD, &n);
  readsome("raw output", m);

  // Packet mode.
  int on = 1;
  printf("TIOCPKT %d\n", ioctl(m, TIOCPKT, &on));
  if (write(s, "data", 4) != 4) perror("write");
  readsome("packet", m);
  tcflush(s, TCIFLUSH);
  events("status", m);
  readsome("status", m);
  on = 0;
  ioctl(m, TIOCPKT, &on);

  // Wrong uses.
  result("TIOCGPTN on slave", ioctl(s, TIOCGPTN, &n));
  result("TIOCGPGRP", ioctl(s, TIOCGPGRP, &n));
  result("TIOCSETD 99", ioctl(s, TIOCSETD, &(int){99}));
  result("TCGETS bad address", ioctl(s, TCGETS, (void*)8));
  result("unknown", ioctl(s, 0x5fff, 0));
  result("lseek", lseek(s, 0, SEEK_SET));

  // A second slave through the master.
  int peer = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  printf("peer %d\n", peer >= 0);
  close(peer);

  // The slave closes: the master sees it and recovers.
  close(s);
  usleep(30000);
  events("master, slave closed", m);
  readsome("master, slave closed", m);
  s = open(ptsname(m), O_RDWR | O_NOCTTY);
  events("master, slave open", m);
  // The master closes: the slave is hung up.
  char path[64];
  strcpy(path, ptsname(m));
  close(m);
  usleep(30000);
  events("slave, master closed", s);
  readsome("slave, master closed", s);
  result("write", write(s, "x", 1));
  result("tcgetattr", tcgetattr(s, &t));
  printf("node gone: %d\n", access(path, F_OK));
  return 0;
}
