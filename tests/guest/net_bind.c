// bind(2) and listen(2): who may share a port.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char* err(long r) { return r < 0 ? strerror(errno) : "ok"; }
static int port;

static int sock(int family, int type, int reuseaddr, int reuseport, int v6only) {
  int s = socket(family, type, 0);
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &reuseaddr, sizeof(int));
  setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &reuseport, sizeof(int));
  if (family == AF_INET6) setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(int));
  return s;
}
static long bind_to(int s, const char* ip) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in6 b = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  if (inet_pton(AF_INET, ip, &a.sin_addr) == 1) return bind(s, (struct sockaddr*)&a, sizeof a);
  inet_pton(AF_INET6, ip, &b.sin6_addr);
  return bind(s, (struct sockaddr*)&b, sizeof b);
}

struct one {
  int family;
  const char* ip;
  int reuseaddr, reuseport, v6only;
};

static void two(const char* what, int type, struct one x, struct one y, int listen_first, int listen_second) {
  int a = sock(x.family, type, x.reuseaddr, x.reuseport, x.v6only);
  int b = sock(y.family, type, y.reuseaddr, y.reuseport, y.v6only);
  printf("%s: %s", what, err(bind_to(a, x.ip)));
  if (listen_first) printf(", listen %s", err(listen(a, 1)));
  printf("; %s", err(bind_to(b, y.ip)));
  if (listen_second) printf(", listen %s", err(listen(b, 1)));
  puts("");
  close(a), close(b);
}

int main(void) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof a;
  bind(s, (struct sockaddr*)&a, sizeof a);
  getsockname(s, (struct sockaddr*)&a, &n);
  port = ntohs(a.sin_port);
  printf("bind again: %s\n", err(bind_to(s, "127.0.0.1")));
  close(s);
  struct one any4 = {AF_INET, "0.0.0.0", 0, 0, 0}, lo4 = {AF_INET, "127.0.0.1", 0, 0, 0};
  struct one other4 = {AF_INET, "127.0.0.2", 0, 0, 0}, any6 = {AF_INET6, "::", 0, 0, 0};
  struct one only6 = {AF_INET6, "::", 0, 0, 1}, lo6 = {AF_INET6, "::1", 0, 0, 0};
  struct one r4 = {AF_INET, "127.0.0.1", 1, 0, 0}, p4 = {AF_INET, "127.0.0.1", 0, 1, 0};
  struct one rany4 = {AF_INET, "0.0.0.0", 1, 0, 0}, rany6 = {AF_INET6, "::", 1, 0, 0}, pany6 = {AF_INET6, "::", 0, 1, 0};
  int types[] = {SOCK_STREAM, SOCK_DGRAM};
  for (int i = 0; i < 2; i++) {
    int t = types[i];
    two("same", t, lo4, lo4, 0, 0);
    two("any and lo", t, any4, lo4, 0, 0);
    two("lo and any", t, lo4, any4, 0, 0);
    two("two addresses", t, lo4, other4, 0, 0);
    two("any4 any6", t, any4, any6, 0, 0);
    two("any6 any4", t, any6, any4, 0, 0);
    two("any6 lo4", t, any6, lo4, 0, 0);
    two("v6only any4", t, only6, any4, 0, 0);
    two("any6 lo6", t, any6, lo6, 0, 0);
    two("lo6 lo4", t, lo6, lo4, 0, 0);
    two("reuseaddr one", t, r4, lo4, 0, 0);
    two("reuseaddr both", t, r4, r4, 0, 0);
    two("reuseport both", t, p4, p4, 0, 0);
    two("reuseport one", t, p4, r4, 0, 0);
  }
  two("reuseaddr listen, bind", SOCK_STREAM, r4, r4, 1, 0);
  two("reuseaddr bind, listen", SOCK_STREAM, r4, r4, 0, 1);
  two("reuseaddr any listen, lo", SOCK_STREAM, rany4, r4, 1, 0);
  two("reuseaddr any6 listen, any4", SOCK_STREAM, rany6, rany4, 1, 0);
  two("reuseport listen both", SOCK_STREAM, p4, p4, 1, 1);
  two("reuseport any6 listen both", SOCK_STREAM, pany6, pany6, 1, 1);

  s = socket(AF_INET, SOCK_STREAM, 0);
  printf("listen unbound: %s\n", err(listen(s, 5)));
  n = sizeof a;
  getsockname(s, (struct sockaddr*)&a, &n);
  printf("got a port: %d, address %x\n", a.sin_port != 0, a.sin_addr.s_addr);
  printf("bind when listening: %s\n", err(bind_to(s, "127.0.0.1")));
  close(s);
  s = socket(AF_INET, SOCK_STREAM, 0);
  printf("not ours: %s\n", err(bind_to(s, "8.8.8.8")));
  printf("short: %s\n", err(bind(s, (struct sockaddr*)&a, 8)));
  a.sin_family = AF_INET6;
  printf("family: %s\n", err(bind(s, (struct sockaddr*)&a, sizeof a)));
  printf("fault: %s\n", err(bind(s, (struct sockaddr*)16, sizeof a)));
  printf("udp listen: %s\n", err(listen(socket(AF_INET, SOCK_DGRAM, 0), 5)));
  int six = socket(AF_INET6, SOCK_STREAM, 0), on = 1;
  setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  printf("v6only mapped: %s\n", err(bind_to(six, "::ffff:127.0.0.1")));
  printf("multicast: %s\n", err(bind_to(six, "ff02::1")));
  printf("of no link: %s\n", err(bind_to(six, "fe80::1")));
  return 0;
}
