// AF_UNIX stream and seqpacket sockets: names, connection, errors, shutdown, buffers.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char* err(long r) { return r < 0 ? strerror(errno) : "ok"; }
static socklen_t len;
static struct sockaddr_un path(const char* p) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  strcpy(a.sun_path, p);
  len = offsetof(struct sockaddr_un, sun_path) + strlen(p) + 1;
  return a;
}
static void name(const char* what, int fd, int peer) {
  struct sockaddr_un a;
  memset(&a, 'Z', sizeof a);
  socklen_t n = sizeof a;
  int r = peer ? getpeername(fd, (struct sockaddr*)&a, &n) : getsockname(fd, (struct sockaddr*)&a, &n);
  printf("%s: %s", what, err(r));
  if (r == 0) {
    printf(" family %d len %u", a.sun_family, n);
    if (n > 2 && a.sun_path[0]) printf(" %s", a.sun_path);
  }
  puts("");
}
static void polled(const char* what, int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
  poll(&p, 1, 0);
  printf("%s: poll %x\n", what, p.revents);
}
static void try_recv(int fd) {
  char b[100];
  ssize_t r = recv(fd, b, sizeof b, MSG_DONTWAIT);
  printf("recv %zd %s\n", r, r < 0 ? strerror(errno) : "");
}

static void by_type(int type) {
  unlink("sock");
  int l = socket(AF_UNIX, type, 0), c = socket(AF_UNIX, type, 0);
  printf("== type %d\n", type);
  struct sockaddr_un a = path("sock");
  printf("no such name: %s\n", err(connect(c, (struct sockaddr*)&a, len)));
  printf("listen unbound: %s\n", err(listen(l, 1)));
  name("unbound", l, 0);
  printf("bind %s\n", err(bind(l, (struct sockaddr*)&a, len)));
  name("bound", l, 0);
  struct stat st;
  stat("sock", &st);
  printf("mode %o\n", st.st_mode);
  printf("bind twice: %s\n", err(bind(l, (struct sockaddr*)&a, len)));
  struct sockaddr_un second = path("sock2");
  printf("second name: %s\n", err(bind(l, (struct sockaddr*)&second, len)));
  a = path("sock");
  printf("name in use: %s\n", err(bind(c, (struct sockaddr*)&a, len)));
  printf("not listening: %s\n", err(connect(c, (struct sockaddr*)&a, len)));
  int other = socket(AF_UNIX, type == SOCK_STREAM ? SOCK_DGRAM : SOCK_STREAM, 0);
  printf("other type: %s\n", err(connect(other, (struct sockaddr*)&a, len)));
  printf("open: %s\n", err(open("sock", O_RDWR)));
  polled("unconnected", c);
  printf("listen %s\n", err(listen(l, 1)));
  polled("listener", l);
  fcntl(l, F_SETFL, O_NONBLOCK);
  printf("accept: %s\n", err(accept(l, NULL, NULL)));
  printf("connect %s\n", err(connect(c, (struct sockaddr*)&a, len)));
  printf("again: %s\n", err(connect(c, (struct sockaddr*)&a, len)));
  int c2 = socket(AF_UNIX, type | SOCK_NONBLOCK, 0), c3 = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
  printf("second %s\n", err(connect(c2, (struct sockaddr*)&a, len)));
  printf("third %s\n", err(connect(c3, (struct sockaddr*)&a, len)));
  polled("listener", l);
  printf("send before accept %zd\n", send(c, "early", 5, 0));
  struct sockaddr_un from;
  socklen_t n = sizeof from;
  int s = accept(l, (struct sockaddr*)&from, &n);
  printf("accept %s, len %u\n", err(s), n);
  name("server", s, 0);
  name("server peer", s, 1);
  name("client peer", c, 1);
  struct ucred cr;
  n = sizeof cr;
  getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cr, &n);
  printf("peercred %d %d %d\n", cr.pid == getpid(), cr.uid == getuid(), cr.gid == getgid());
  char b[100];
  printf("peek %zd\n", recv(s, b, 3, MSG_PEEK));
  printf("recv %zd\n", recv(s, b, sizeof b, 0));
  printf("zero %zd\n", send(c, "", 0, 0));
  printf("named: %s\n", err(sendto(c, "x", 1, 0, (struct sockaddr*)&a, len)));
  try_recv(s);
  try_recv(s);
  printf("oob: %s\n", err(recv(s, b, 1, MSG_OOB)));
  int q = 7;
  send(c, "abc", 3, 0);
  send(c, "de", 2, 0);
  ioctl(s, FIONREAD, &q);
  printf("FIONREAD %d\n", q);
  printf("recv %zd\n", recv(s, b, 4, 0));
  try_recv(s);
  printf("shutdown %s\n", err(shutdown(c, SHUT_WR)));
  polled("client", c);
  polled("server", s);
  try_recv(s);
  printf("send %s\n", err(send(c, "x", 1, MSG_NOSIGNAL)));
  printf("back %zd\n", send(s, "back", 4, 0));
  close(s);
  polled("client", c);
  try_recv(c);
  try_recv(c);
  printf("send %s\n", err(send(c, "x", 1, MSG_NOSIGNAL)));
  name("client peer", c, 1);
  close(l);
  polled("never accepted", c2);
  try_recv(c2);
  printf("stale name: %s\n", err(connect(c3, (struct sockaddr*)&a, len)));
  close(c), close(c2), close(c3), close(other);
  unlink("sock");
}

static void abstract_names(void) {
  puts("== abstract");
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  snprintf(a.sun_path + 1, 40, "test-%d", getpid());
  socklen_t n = offsetof(struct sockaddr_un, sun_path) + 1 + 20;
  int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
  printf("bind %s\n", err(bind(l, (struct sockaddr*)&a, n)));
  printf("listen %s\n", err(listen(l, 3)));
  printf("connect %s\n", err(connect(c, (struct sockaddr*)&a, n)));
  printf("other length: %s\n", err(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr*)&a, n - 1)));
  name("peer", c, 1);
  close(l);
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  printf("free again %s\n", err(bind(l, (struct sockaddr*)&a, n)));
  int au = socket(AF_UNIX, SOCK_STREAM, 0);
  sa_family_t f = AF_UNIX;
  printf("autobind %s\n", err(bind(au, (struct sockaddr*)&f, sizeof f)));
  name("autobound", au, 0);
  struct sockaddr_un bad = {.sun_family = AF_INET};
  printf("family: %s\n", err(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr*)&bad, 10)));
  printf("too long: %s\n", err(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr*)&a, 111)));
}

static void buffers(void) {
  puts("== buffers");
  int p[2];
  printf("socketpair %s\n", err(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p)));
  printf("flags %d %d\n", fcntl(p[0], F_GETFD), !!(fcntl(p[1], F_GETFL) & O_NONBLOCK));
  int n = 0;
  while (send(p[0], "1", 1, MSG_NOSIGNAL) == 1) n++;
  printf("small sends: %d\n", n);
  polled("full", p[0]);
  int q;
  ioctl(p[0], TIOCOUTQ, &q);
  printf("SIOCOUTQ %d\n", q > 200000);
  char b[400];
  printf("recv %zd\n", recv(p[1], b, sizeof b, 0));
  polled("empty", p[0]);
  n = 100000;
  setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &n, sizeof n);
  socklen_t l = sizeof n;
  getsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &n, &l);
  printf("SO_SNDBUF %d\n", n);
  printf("inet pair: %s\n", err(socketpair(AF_INET, SOCK_STREAM, 0, p)));
  printf("bad type: %s\n", err(socketpair(AF_UNIX, SOCK_RDM, 0, p)));
  printf("bad protocol: %s\n", err(socketpair(AF_UNIX, SOCK_STREAM, 17, p)));
  int* volatile bad = (int*)8;
  printf("bad pointer: %s\n", err(socketpair(AF_UNIX, SOCK_STREAM, 0, bad)));
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  umask(022);
  by_type(SOCK_STREAM);
  by_type(SOCK_SEQPACKET);
  abstract_names();
  buffers();
  return 0;
}
