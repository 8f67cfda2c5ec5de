// How TCP connections end: FIN, RST, EPIPE with SIGPIPE, ECONNRESET, SO_LINGER, shutdown, poll bits.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile int pipes;
static void on_pipe(int s) { (void)s, pipes++; }
static int c, s, l;

static void make_pair(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof a;
  l = socket(AF_INET, SOCK_STREAM, 0);
  bind(l, (struct sockaddr*)&a, sizeof a);
  listen(l, 5);
  getsockname(l, (struct sockaddr*)&a, &n);
  c = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c, (struct sockaddr*)&a, sizeof a) < 0) perror("connect");
  s = accept(l, NULL, NULL);
}
static void polled(const char* what, int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
  poll(&p, 1, 0);
  printf("%s: poll %x\n", what, p.revents);
}
static void try_send(int fd) {
  ssize_t r = send(fd, "x", 1, 0);
  printf("send %zd %s, SIGPIPE %d\n", r, r < 0 ? strerror(errno) : "", pipes);
}
static void try_recv(int fd) {
  char b[100];
  ssize_t r = recv(fd, b, sizeof b, MSG_DONTWAIT);
  printf("recv %zd %s\n", r, r < 0 ? strerror(errno) : "");
}
static void so_error(int fd) {
  int v;
  socklen_t n = sizeof v;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &n);
  printf("SO_ERROR %s\n", v ? strerror(v) : "0");
}
static void done(void) {
  close(c), close(s), close(l);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  signal(SIGPIPE, on_pipe);

  puts("-- orderly close, then write");
  make_pair();
  close(s);
  polled("client", c);
  try_recv(c);
  try_send(c);
  usleep(10000);
  polled("client", c);
  try_send(c);
  try_recv(c);
  done();

  puts("-- close with unread data");
  make_pair();
  send(c, "abc", 3, 0);
  send(s, "wxyz", 4, 0);
  close(s);
  usleep(10000);
  polled("client", c);
  try_recv(c);
  try_recv(c);
  try_recv(c);
  try_send(c);
  struct sockaddr_in a;
  socklen_t n = sizeof a;
  printf("getpeername %d\n", getpeername(c, (struct sockaddr*)&a, &n));
  printf("shutdown %s\n", shutdown(c, SHUT_RDWR) < 0 ? strerror(errno) : "ok");
  done();

  puts("-- linger 0");
  make_pair();
  struct linger lg = {1, 0};
  setsockopt(s, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
  close(s);
  usleep(10000);
  polled("client", c);
  so_error(c);
  try_recv(c);
  try_send(c);
  done();

  puts("-- shutdown write");
  make_pair();
  shutdown(c, SHUT_WR);
  polled("client", c);
  polled("server", s);
  try_send(c);
  try_send(s);
  try_recv(c);
  try_recv(s);
  done();

  puts("-- shutdown read");
  make_pair();
  shutdown(c, SHUT_RD);
  polled("client", c);
  try_recv(c);
  try_send(s);
  try_recv(c);
  try_recv(c);
  done();

  puts("-- shutdown both, peer writes");
  make_pair();
  shutdown(c, SHUT_RDWR);
  polled("client", c);
  try_send(s);
  usleep(10000);
  so_error(c);
  polled("server", s);
  so_error(s);
  done();

  puts("-- listener closes with a connection queued");
  make_pair();
  int c2 = socket(AF_INET, SOCK_STREAM, 0);
  n = sizeof a;
  getsockname(l, (struct sockaddr*)&a, &n);
  connect(c2, (struct sockaddr*)&a, sizeof a);
  close(l);
  usleep(10000);
  polled("queued client", c2);
  try_recv(c2);
  close(c2);
  done();

  puts("-- client closes before accept");
  make_pair();
  c2 = socket(AF_INET, SOCK_STREAM, 0);
  n = sizeof a;
  getsockname(l, (struct sockaddr*)&a, &n);
  connect(c2, (struct sockaddr*)&a, sizeof a);
  send(c2, "early", 5, 0);
  close(c2);
  c2 = accept(l, NULL, NULL);
  polled("accepted", c2);
  try_recv(c2);
  try_recv(c2);
  close(c2);
  done();

  puts("-- out-of-band");
  make_pair();
  printf("send %zd\n", send(c, "abU", 3, MSG_OOB));
  printf("send %zd\n", send(c, "cd", 2, 0));
  usleep(10000);
  polled("server", s);
  char b[10];
  ssize_t r = recv(s, b, sizeof b, 0);
  printf("recv %zd %.*s\n", r, (int)r, b);
  int mark = -1;
  ioctl(s, SIOCATMARK, &mark);
  printf("mark %d\n", mark);
  r = recv(s, b, sizeof b, MSG_OOB);
  printf("oob %zd %c\n", r, b[0]);
  r = recv(s, b, sizeof b, MSG_OOB);
  printf("oob again %s\n", strerror(errno));
  r = recv(s, b, sizeof b, 0);
  printf("recv %zd %.*s\n", r, (int)r, b);
  done();

  puts("-- unconnected");
  int u = socket(AF_INET, SOCK_STREAM, 0);
  polled("fresh", u);
  try_recv(u);
  try_send(u);
  printf("shutdown %s\n", shutdown(u, SHUT_RDWR) < 0 ? strerror(errno) : "ok");
  printf("accept %s\n", accept(u, NULL, NULL) < 0 ? strerror(errno) : "ok");
  close(u);
  return 0;
}
