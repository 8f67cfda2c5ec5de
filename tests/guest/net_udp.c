// UDP over both families: names, truncation, errors, options with ancillary data, recvmmsg and sendmmsg.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const char* err(long r) { return r < 0 ? strerror(errno) : "ok"; }
static struct sockaddr_in v4(const char* ip, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = port};
  inet_pton(AF_INET, ip, &a.sin_addr);
  return a;
}
static struct sockaddr_in6 v6(const char* ip, int port) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = port};
  inet_pton(AF_INET6, ip, &a.sin6_addr);
  return a;
}
static int port_of(int s) {
  struct sockaddr_in6 a;
  socklen_t n = sizeof a;
  getsockname(s, (struct sockaddr*)&a, &n);
  return a.sin6_port;
}
static void show(const char* what, const struct sockaddr_storage* ss) {
  char text[64] = "";
  if (ss->ss_family == AF_INET6) inet_ntop(AF_INET6, &((struct sockaddr_in6*)ss)->sin6_addr, text, sizeof text);
  if (ss->ss_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in*)ss)->sin_addr, text, sizeof text);
  printf("%s %s\n", what, text);
}

static void with_control(void) {
  int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), on = 1, ttl = 9, tos = 0x10;
  struct sockaddr_in any = v4("0.0.0.0", 0);
  bind(b, (struct sockaddr*)&any, sizeof any);
  setsockopt(b, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  setsockopt(b, IPPROTO_IP, IP_RECVTTL, &on, sizeof on);
  setsockopt(b, IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
  setsockopt(b, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on);
  setsockopt(a, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
  setsockopt(a, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
  struct sockaddr_in to = v4("127.0.0.4", port_of(b));
  sendto(a, "x", 1, 0, (struct sockaddr*)&to, sizeof to);
  char data[10], control[256];
  struct iovec iov = {data, sizeof data};
  struct sockaddr_storage from;
  struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  printf("recvmsg %zd", recvmsg(b, &m, 0));
  printf(" flags %x namelen %u\n", m.msg_flags, m.msg_namelen);
  for (struct cmsghdr* c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    printf("cmsg level %d type %d len %zu", c->cmsg_level, c->cmsg_type, c->cmsg_len);
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo* p = (struct in_pktinfo*)CMSG_DATA(c);
      printf(" if %d addr %x spec %x", p->ipi_ifindex, ntohl(p->ipi_addr.s_addr), ntohl(p->ipi_spec_dst.s_addr));
    } else if (c->cmsg_level == IPPROTO_IP) {
      printf(" value %d", *CMSG_DATA(c));
    }
    puts("");
  }
  close(a), close(b);
}

static void many(void) {
  int a = socket(AF_INET6, SOCK_DGRAM, 0), b = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6 lo = v6("::1", 0);
  bind(b, (struct sockaddr*)&lo, sizeof lo);
  lo.sin6_port = port_of(b);
  printf("connect %s\n", err(connect(a, (struct sockaddr*)&lo, sizeof lo)));
  struct iovec iov[3] = {{"one", 3}, {"three", 5}, {"", 0}};
  struct mmsghdr out[3];
  memset(out, 0, sizeof out);
  for (int i = 0; i < 3; i++) out[i].msg_hdr.msg_iov = &iov[i], out[i].msg_hdr.msg_iovlen = 1;
  printf("sendmmsg %d", sendmmsg(a, out, 3, 0));
  printf(" %u %u %u\n", out[0].msg_len, out[1].msg_len, out[2].msg_len);
  char bufs[5][4];
  struct iovec riov[5];
  struct mmsghdr in[5];
  memset(in, 0, sizeof in);
  for (int i = 0; i < 5; i++) {
    riov[i] = (struct iovec){bufs[i], sizeof bufs[i]};
    in[i].msg_hdr.msg_iov = &riov[i], in[i].msg_hdr.msg_iovlen = 1;
  }
  int n = recvmmsg(b, in, 5, MSG_WAITFORONE, NULL);
  printf("recvmmsg %d\n", n);
  for (int i = 0; i < n; i++) printf(" %u flags %x\n", in[i].msg_len, in[i].msg_hdr.msg_flags);
  printf("empty %s\n", err(recvmmsg(b, in, 5, MSG_DONTWAIT, NULL)));
  struct timespec bad = {0, -1};
  printf("bad timeout %s\n", err(recvmmsg(b, in, 5, 0, &bad)));
  sendmmsg(a, out, 2, 0);
  struct timespec ts = {0, 0};
  printf("timeout 0: %d\n", recvmmsg(b, in, 5, 0, &ts));
  close(a), close(b);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  char buf[100];
  struct sockaddr_storage from;
  socklen_t n = sizeof from;
  int s = socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP), c = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in6 any = v6("::", 0);
  printf("bind %s\n", err(bind(s, (struct sockaddr*)&any, sizeof any)));
  struct sockaddr_in to = v4("127.0.0.1", port_of(s));
  printf("no destination: %s\n", err(send(c, "x", 1, 0)));
  printf("sendto %zd\n", sendto(c, "hello", 5, 0, (struct sockaddr*)&to, sizeof to));
  printf("empty %zd\n", sendto(c, "", 0, 0, (struct sockaddr*)&to, sizeof to));
  int q = -1;
  ioctl(s, FIONREAD, &q);
  printf("FIONREAD %d\n", q);
  ssize_t r = recvfrom(s, buf, 3, MSG_PEEK | MSG_TRUNC, (struct sockaddr*)&from, &n);
  printf("peek %zd len %u\n", r, n);
  show("from", &from);
  r = recvfrom(s, buf, 3, 0, (struct sockaddr*)&from, &n);
  printf("recv %zd %.*s\n", r, (int)r, buf);
  printf("reply %zd\n", sendto(s, "re", 2, 0, (struct sockaddr*)&from, n));
  printf("empty %zd\n", recv(s, buf, sizeof buf, 0));
  printf("none %s\n", err(recv(s, buf, sizeof buf, MSG_DONTWAIT)));
  n = sizeof from;
  r = recvfrom(c, buf, sizeof buf, 0, (struct sockaddr*)&from, &n);
  printf("recv %zd len %u\n", r, n);
  show("from", &from);
  static char big[70000];
  printf("65507: %zd\n", sendto(c, big, 65507, 0, (struct sockaddr*)&to, sizeof to));
  printf("65508: %s\n", err(sendto(c, big, 65508, 0, (struct sockaddr*)&to, sizeof to)));
  printf("big %zd\n", recv(s, big, sizeof big, 0));
  struct sockaddr_in zero = to;
  zero.sin_port = 0;
  printf("port 0: %s\n", err(sendto(c, "x", 1, 0, (struct sockaddr*)&zero, sizeof zero)));
  printf("short address: %s\n", err(sendto(c, "x", 1, 0, (struct sockaddr*)&to, 8)));
  printf("oob: %s\n", err(sendto(c, "x", 1, MSG_OOB, (struct sockaddr*)&to, sizeof to)));
  close(s);

  puts("-- refused");
  printf("connect %s\n", err(connect(c, (struct sockaddr*)&to, sizeof to)));
  printf("send %zd\n", send(c, "x", 1, 0));
  usleep(10000);
  struct pollfd p = {c, POLLIN | POLLOUT, 0};
  poll(&p, 1, 100);
  printf("poll %x\n", p.revents);
  printf("recv %s\n", err(recv(c, buf, sizeof buf, 0)));
  send(c, "x", 1, 0);
  usleep(10000);
  printf("send %s\n", err(send(c, "x", 1, 0)));
  usleep(10000);
  int v = 0;
  n = sizeof v;
  getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &n);
  printf("SO_ERROR %d\n", v);
  struct sockaddr unspec = {.sa_family = AF_UNSPEC};
  printf("disconnect %s\n", err(connect(c, &unspec, sizeof unspec)));
  n = sizeof from;
  printf("getpeername %s\n", err(getpeername(c, (struct sockaddr*)&from, &n)));

  puts("-- shutdown");
  printf("unconnected %s\n", err(shutdown(c, SHUT_RDWR)));
  p = (struct pollfd){c, POLLIN | POLLOUT | POLLRDHUP, 0};
  poll(&p, 1, 0);
  printf("poll %x\n", p.revents);
  printf("recv %zd\n", recv(c, buf, sizeof buf, 0));
  printf("send %s\n", err(sendto(c, "x", 1, 0, (struct sockaddr*)&to, sizeof to)));
  close(c);

  puts("-- timeout");
  c = socket(AF_INET, SOCK_DGRAM, 0);
  struct timeval tv = {0, 30000};
  setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  printf("recv %s\n", err(recv(c, buf, sizeof buf, 0)));
  tv = (struct timeval){-1, 0};
  printf("negative %s\n", err(setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv)));
  tv = (struct timeval){0, 1000000};
  printf("too many us %s\n", err(setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv)));
  close(c);
  puts("-- ancillary");
  with_control();
  puts("-- many");
  many();
  return 0;
}
