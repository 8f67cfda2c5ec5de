// A server as MediaServer sets it up: dual-stack listener, options, an IPv4 and an IPv6 client, transfer,
// half-close.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char* err(long r) { return r < 0 ? strerror(errno) : "ok"; }

static void show_name(const char* what, int fd, int (*get)(int, struct sockaddr*, socklen_t*)) {
  struct sockaddr_storage ss;
  socklen_t n = sizeof ss;
  if (get(fd, (struct sockaddr*)&ss, &n) < 0) {
    printf("%s: %s\n", what, strerror(errno));
    return;
  }
  char text[64] = "";
  if (ss.ss_family == AF_INET6) inet_ntop(AF_INET6, &((struct sockaddr_in6*)&ss)->sin6_addr, text, sizeof text);
  if (ss.ss_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in*)&ss)->sin_addr, text, sizeof text);
  printf("%s: family %d len %u %s\n", what, ss.ss_family, n, text);
}

static int getpeer(int fd, struct sockaddr* a, socklen_t* n) { return getpeername(fd, a, n); }
static int getsock(int fd, struct sockaddr* a, socklen_t* n) { return getsockname(fd, a, n); }

static void set_int(const char* what, int fd, int level, int name, int v) {
  printf("set %s %d: %s\n", what, v, err(setsockopt(fd, level, name, &v, sizeof v)));
}
static void get_int(const char* what, int fd, int level, int name) {
  int v = -1;
  socklen_t n = sizeof v;
  long r = getsockopt(fd, level, name, &v, &n);
  printf("get %s: %s %d len %u\n", what, err(r), v, n);
}

static void transfer(int client, int server) {
  char buf[100];
  printf("send %zd\n", send(client, "hello world", 11, MSG_NOSIGNAL));
  int n = 0;
  ioctl(server, FIONREAD, &n);
  printf("FIONREAD %d\n", n);
  printf("peek %zd\n", recv(server, buf, 5, MSG_PEEK));
  printf("trunc %zd\n", recv(server, buf, 2, MSG_TRUNC));
  ssize_t r = recvfrom(server, buf, sizeof buf, 0, NULL, NULL);
  printf("recvfrom %zd %.*s\n", r, (int)r, buf);
  r = recv(server, buf, sizeof buf, MSG_DONTWAIT);
  printf("empty: %s\n", err(r));
  struct iovec iov[2] = {{"ab", 2}, {"cdef", 4}};
  struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
  printf("sendmsg %zd\n", sendmsg(server, &m, MSG_DONTWAIT | MSG_NOSIGNAL));
  struct sockaddr_storage from;
  socklen_t fromlen = sizeof from;
  r = recvfrom(client, buf, sizeof buf, 0, (struct sockaddr*)&from, &fromlen);
  printf("client got %zd, from len %u\n", r, fromlen);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  int l = socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP);
  set_int("SO_REUSEADDR", l, SOL_SOCKET, SO_REUSEADDR, 1);
  set_int("SO_REUSEPORT", l, SOL_SOCKET, SO_REUSEPORT, 1);
  int on = 1;
  printf("FIONBIO %s\n", err(ioctl(l, FIONBIO, &on)));
  printf("F_GETFD %d F_SETFD %s\n", fcntl(l, F_GETFD), err(fcntl(l, F_SETFD, FD_CLOEXEC)));
  set_int("IPV6_V6ONLY", l, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  get_int("IPV6_V6ONLY", l, IPPROTO_IPV6, IPV6_V6ONLY);
  struct sockaddr_in6 a = {.sin6_family = AF_INET6};
  printf("bind %s\n", err(bind(l, (struct sockaddr*)&a, sizeof a)));
  set_int("IPV6_V6ONLY", l, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  printf("listen %s\n", err(listen(l, 1024)));
  show_name("listener", l, getsock);
  show_name("listener peer", l, getpeer);
  get_int("SO_ACCEPTCONN", l, SOL_SOCKET, SO_ACCEPTCONN);
  printf("accept %s\n", err(accept(l, NULL, NULL)));
  socklen_t n = sizeof a;
  getsockname(l, (struct sockaddr*)&a, &n);

  for (int family = 0; family < 2; family++) {
    int c = socket(family ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    fcntl(c, F_SETFL, O_NONBLOCK);
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = a.sin6_port, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = a.sin6_port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    long r = family ? connect(c, (struct sockaddr*)&a6, sizeof a6) : connect(c, (struct sockaddr*)&a4, sizeof a4);
    printf("connect %s\n", err(r));
    struct pollfd p = {c, POLLOUT, 0};
    printf("poll %d", poll(&p, 1, 1000));
    printf(" revents %x\n", p.revents);
    get_int("SO_ERROR", c, SOL_SOCKET, SO_ERROR);
    p = (struct pollfd){l, POLLIN, 0};
    printf("poll listener %d", poll(&p, 1, 1000));
    printf(" %x\n", p.revents);
    struct sockaddr_storage from;
    socklen_t fromlen = sizeof from;
    int s = accept(l, (struct sockaddr*)&from, &fromlen);
    printf("accepted %s, from len %u\n", err(s), fromlen);
    show_name("server", s, getsock);
    show_name("server peer", s, getpeer);
    show_name("client peer", c, getpeer);
    printf("accepted flags nonblock %d\n", !!(fcntl(s, F_GETFL) & O_NONBLOCK));
    set_int("TCP_NODELAY", s, IPPROTO_TCP, TCP_NODELAY, 1);
    get_int("TCP_NODELAY", s, IPPROTO_TCP, TCP_NODELAY);
    set_int("SO_SNDBUF", s, SOL_SOCKET, SO_SNDBUF, 100000);
    get_int("SO_SNDBUF", s, SOL_SOCKET, SO_SNDBUF);
    set_int("SO_RCVBUF", s, SOL_SOCKET, SO_RCVBUF, 70000);
    get_int("SO_RCVBUF", s, SOL_SOCKET, SO_RCVBUF);
    struct linger lg = {0, 0};
    printf("SO_LINGER %s\n", err(setsockopt(s, SOL_SOCKET, SO_LINGER, &lg, sizeof lg)));
    set_int("SO_KEEPALIVE", s, SOL_SOCKET, SO_KEEPALIVE, 1);
    get_int("SO_KEEPALIVE", s, SOL_SOCKET, SO_KEEPALIVE);
    get_int("SO_TYPE", s, SOL_SOCKET, SO_TYPE);
    get_int("SO_DOMAIN", s, SOL_SOCKET, SO_DOMAIN);
    get_int("SO_PROTOCOL", s, SOL_SOCKET, SO_PROTOCOL);
    set_int("TCP_QUICKACK", s, IPPROTO_TCP, TCP_QUICKACK, 1);
    struct tcp_info ti;
    n = sizeof ti;
    long ri = getsockopt(s, IPPROTO_TCP, TCP_INFO, &ti, &n);
    printf("TCP_INFO %s len %u state %d\n", err(ri), n, ti.tcpi_state);
    fcntl(c, F_SETFL, 0);
    transfer(c, s);
    printf("shutdown %s\n", err(shutdown(c, SHUT_WR)));
    char buf[10];
    printf("eof %zd\n", recv(s, buf, sizeof buf, 0));
    printf("still %zd\n", send(s, "bye", 3, 0));
    printf("got %zd\n", recv(c, buf, sizeof buf, 0));
    p = (struct pollfd){s, POLLIN | POLLOUT | POLLRDHUP, 0};
    poll(&p, 1, 0);
    printf("server poll %x\n", p.revents);
    printf("shutdown again %s\n", err(shutdown(s, SHUT_RDWR)));
    show_name("server peer after", s, getpeer);
    close(s);
    close(c);
  }
  return 0;
}
