// connect(2): refused, in progress, already, addresses of both families, self-connection, blocking.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char* err(long r) { return r < 0 ? strerror(errno) : "ok"; }
static struct sockaddr_in v4(const char* ip, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, ip, &a.sin_addr);
  return a;
}
static struct sockaddr_in6 v6(const char* ip, int port) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  inet_pton(AF_INET6, ip, &a.sin6_addr);
  return a;
}
static int free_port(void) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = v4("127.0.0.1", 0);
  socklen_t n = sizeof a;
  bind(s, (struct sockaddr*)&a, sizeof a);
  getsockname(s, (struct sockaddr*)&a, &n);
  close(s);
  return ntohs(a.sin_port);
}
static int so_error(int fd) {
  int v = -1;
  socklen_t n = sizeof v;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &n);
  return v;
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  int port = free_port();
  struct sockaddr_in a = v4("127.0.0.1", port);
  struct sockaddr_in6 a6 = v6("::1", port), mapped = v6("::ffff:127.0.0.1", port);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  printf("refused: %s\n", err(connect(s, (struct sockaddr*)&a, sizeof a)));
  printf("again: %s\n", err(connect(s, (struct sockaddr*)&a, sizeof a)));
  printf("short: %s\n", err(connect(s, (struct sockaddr*)&a, 3)));
  printf("negative: %s\n", err(connect(s, (struct sockaddr*)&a, (socklen_t)-1)));
  struct sockaddr_in bad = a;
  bad.sin_family = 77;
  printf("family: %s\n", err(connect(s, (struct sockaddr*)&bad, sizeof bad)));
  printf("fault: %s\n", err(connect(s, (struct sockaddr*)8, sizeof bad)));
  printf("not a socket: %s\n", err(connect(1, (struct sockaddr*)&a, sizeof a)));
  printf("bad fd: %s\n", err(connect(77, (struct sockaddr*)&a, sizeof a)));
  close(s);

  s = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
  printf("nonblocking: %s\n", err(connect(s, (struct sockaddr*)&a6, sizeof a6)));
  struct pollfd p = {s, POLLIN | POLLOUT, 0};
  printf("poll %d", poll(&p, 1, 1000));
  printf(" %x\n", p.revents);
  printf("SO_ERROR %s\n", strerror(so_error(s)));
  printf("SO_ERROR %d\n", so_error(s));
  printf("again: %s\n", err(connect(s, (struct sockaddr*)&a6, sizeof a6)));
  printf("again: %s\n", err(connect(s, (struct sockaddr*)&a6, sizeof a6)));
  close(s);

  int l = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 any = v6("::", port);
  printf("bind %s\n", err(bind(l, (struct sockaddr*)&any, sizeof any)));
  printf("listen %s\n", err(listen(l, 8)));
  s = socket(AF_INET6, SOCK_STREAM, 0);
  printf("mapped: %s\n", err(connect(s, (struct sockaddr*)&mapped, sizeof mapped)));
  printf("isconn: %s\n", err(connect(s, (struct sockaddr*)&mapped, sizeof mapped)));
  struct sockaddr unspec = {.sa_family = AF_UNSPEC};
  printf("disconnect: %s\n", err(connect(s, &unspec, sizeof unspec)));
  printf("reconnect: %s\n", err(connect(s, (struct sockaddr*)&mapped, sizeof mapped)));
  close(s);
  s = socket(AF_INET6, SOCK_STREAM, 0);
  int on = 1;
  setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  printf("v6only mapped: %s\n", err(connect(s, (struct sockaddr*)&mapped, sizeof mapped)));
  close(s);
  s = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in zero = v4("0.0.0.0", port), other = v4("127.200.1.9", port);
  printf("0.0.0.0: %s\n", err(connect(s, (struct sockaddr*)&zero, sizeof zero)));
  char text[64];
  struct sockaddr_in peer;
  socklen_t n = sizeof peer;
  getpeername(s, (struct sockaddr*)&peer, &n);
  printf("is %s\n", inet_ntop(AF_INET, &peer.sin_addr, text, sizeof text));
  close(s);
  s = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in from = v4("127.9.9.9", 0);
  printf("bind %s\n", err(bind(s, (struct sockaddr*)&from, sizeof from)));
  printf("127.200.1.9: %s\n", err(connect(s, (struct sockaddr*)&other, sizeof other)));
  n = sizeof peer;
  getsockname(s, (struct sockaddr*)&peer, &n);
  printf("from %s\n", inet_ntop(AF_INET, &peer.sin_addr, text, sizeof text));
  printf("listener: %s\n", err(connect(l, (struct sockaddr*)&a6, sizeof a6)));
  close(s);
  close(l);

  s = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in self = v4("127.0.0.1", free_port());
  bind(s, (struct sockaddr*)&self, sizeof self);
  printf("self: %s\n", err(connect(s, (struct sockaddr*)&self, sizeof self)));
  char b[10];
  printf("echo %zd", send(s, "abc", 3, 0));
  printf(" %zd\n", recv(s, b, sizeof b, 0));
  close(s);
  return 0;
}
