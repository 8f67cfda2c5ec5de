// IPV6_ADDRFORM: an AF_INET6 socket with an IPv4 peer becomes an AF_INET socket.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "say.h"

static int to_ipv4(int fd, int family, socklen_t size) {
  return setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, size);
}
static void show(const char* what, int fd) {
  struct sockaddr_storage name, peer;
  memset(&name, 0, sizeof name);
  memset(&peer, 0, sizeof peer);
  int domain = 0, form = 0, only = 0;
  socklen_t n = sizeof name, p = sizeof peer, i = sizeof domain;
  getsockname(fd, (struct sockaddr*)&name, &n);
  int has_peer = getpeername(fd, (struct sockaddr*)&peer, &p) == 0;
  getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &i);
  printf("%s: domain %d name %d/%u peer %d %d/%u\n", what, domain, name.ss_family, n, has_peer,
         peer.ss_family, has_peer ? p : 0);
  SAY(getsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &form, &i));
  printf("form %d\n", form);
  SAY(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &i));
}
static void listed(const char* what, const char* table, int port) {
  FILE* f = fopen(table, "r");
  char line[512], text[8];
  int n = 0;
  snprintf(text, sizeof text, ":%04X", port);
  while (fgets(line, sizeof line, f)) {
    char local[64], state[4];
    if (sscanf(line, "%*s %63s %*s %3s", local, state) == 2 && strstr(local, text)) n += !strcmp(state, "01");
  }
  fclose(f);
  printf("%s: %d established in %s\n", what, n, table);
}

int main(void) {
  int l = socket(AF_INET6, SOCK_STREAM, 0);
  if (to_ipv4(l, AF_INET, 4) == -1 && errno == ENOPROTOOPT) {
    puts("SKIPPED: this kernel has no IPV6_ADDRFORM (later ones have dropped it)");
    return 77;
  }
  puts("-- errors");
  SAY(to_ipv4(l, AF_INET, 4));
  SAY(to_ipv4(l, AF_INET, 2));
  SAY(to_ipv4(l, AF_INET6, 4));
  struct sockaddr_in6 a = {.sin6_family = AF_INET6}, loop;
  socklen_t n = sizeof a;
  if (bind(l, (struct sockaddr*)&a, n) || listen(l, 5) || getsockname(l, (struct sockaddr*)&a, &n)) return 1;
  SAY(to_ipv4(l, AF_INET, 4));
  loop = a, loop.sin6_addr = in6addr_loopback;
  int six = socket(AF_INET6, SOCK_STREAM, 0);
  if (connect(six, (struct sockaddr*)&loop, sizeof loop)) return 1;
  SAY(to_ipv4(six, AF_INET, 4));
  close(six);
  close(accept(l, NULL, NULL));

  puts("-- TCP");
  struct sockaddr_in v4 = {
      .sin_family = AF_INET, .sin_port = a.sin6_port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int c = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c, (struct sockaddr*)&v4, sizeof v4)) return 1;
  int s = accept(l, NULL, NULL);
  show("accepted", s);
  const int port = ntohs(a.sin6_port);
  listed("before", "/proc/net/tcp6", port);
  SAY(to_ipv4(s, AF_INET, 4));
  show("changed", s);
  listed("after", "/proc/net/tcp6", port);
  listed("after", "/proc/net/tcp", port);
  SAY(to_ipv4(s, AF_INET, 4));
  char b[8];
  SAY_NUMBER(write(s, "one", 3));
  SAY_NUMBER(read(c, b, sizeof b));
  SAY_NUMBER(write(c, "four", 4));
  SAY_NUMBER(read(s, b, sizeof b));

  puts("-- used again as what it is now");
  struct sockaddr unspec = {.sa_family = AF_UNSPEC};
  SAY(connect(s, &unspec, sizeof unspec));
  show("disconnected", s);
  struct sockaddr_in any = {.sin_family = AF_INET};
  SAY(bind(s, (struct sockaddr*)&loop, sizeof loop));
  SAY(bind(s, (struct sockaddr*)&any, sizeof any));
  SAY(listen(s, 2));
  n = sizeof any;
  getsockname(s, (struct sockaddr*)&any, &n);
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int again = socket(AF_INET, SOCK_STREAM, 0);
  SAY(connect(again, (struct sockaddr*)&any, sizeof any));
  show("its child", accept(s, NULL, NULL));

  puts("-- the peer has closed");
  int c2 = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c2, (struct sockaddr*)&v4, sizeof v4)) return 1;
  int half = accept(l, NULL, NULL);
  shutdown(c2, SHUT_WR);
  SAY_NUMBER(read(half, b, sizeof b));
  SAY(to_ipv4(half, AF_INET, 4));

  puts("-- UDP");
  int u = socket(AF_INET6, SOCK_DGRAM, 0), r = socket(AF_INET, SOCK_DGRAM, 0);
  SAY(to_ipv4(u, AF_INET, 4));
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  n = sizeof to;
  if (bind(r, (struct sockaddr*)&to, n) || getsockname(r, (struct sockaddr*)&to, &n)) return 1;
  struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = to.sin_port};
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
  if (connect(u, (struct sockaddr*)&mapped, sizeof mapped)) return 1;
  SAY(to_ipv4(u, AF_INET, 4));
  show("changed", u);
  SAY_NUMBER(send(u, "hello", 5, 0));
  struct sockaddr_in from;
  n = sizeof from;
  SAY_NUMBER(recvfrom(r, b, sizeof b, 0, (struct sockaddr*)&from, &n));
  SAY_NUMBER(sendto(r, "hi", 2, 0, (struct sockaddr*)&from, n));
  SAY_NUMBER(recv(u, b, sizeof b, 0));
  return 0;
}
