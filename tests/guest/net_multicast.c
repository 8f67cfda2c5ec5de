// Multicast over lo: who gets a datagram that goes to a group, and the rules of joining and leaving (ip(7),
// ipv6(7)).
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "say.h"

static int lo;
static const int on = 1, off = 0;

static struct sockaddr_in at(const char* ip, in_port_t port) {
  struct sockaddr_in a = {AF_INET, port, {0}, {0}};
  inet_aton(ip, &a.sin_addr);
  return a;
}
static struct ip_mreqn by_index(struct sockaddr_in group, int index) {
  return (struct ip_mreqn){group.sin_addr, {htonl(INADDR_LOOPBACK)}, index};
}
static void arrived(const char* who, int s) {
  char b[16], text[64] = "";
  struct sockaddr_in6 from;
  socklen_t len = sizeof from;
  ssize_t n = recvfrom(s, b, sizeof b, MSG_DONTWAIT, (struct sockaddr*)&from, &len);
  if (n > 0 && from.sin6_family == AF_INET6) inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof text);
  if (n > 0 && from.sin6_family == AF_INET)
    inet_ntop(AF_INET, &((struct sockaddr_in*)&from)->sin_addr, text, sizeof text);
  printf("  %s: %.*s %s\n", who, n > 0 ? (int)n : 7, n > 0 ? b : "nothing", text);
}
static int bound(struct sockaddr_in a) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  SAY(bind(s, (struct sockaddr*)&a, sizeof a));
  return s;
}

#define JOIN(s, m) setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m)
#define LEAVE(s, m) setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof m)

static void datagrams(void) {
  struct sockaddr_in self = at("0.0.0.0", 0);
  socklen_t len = sizeof self;
  int all = bound(self);
  getsockname(all, (struct sockaddr*)&self, &len);
  struct sockaddr_in group = at("239.1.2.3", self.sin_port), other = at("239.1.2.4", self.sin_port);
  int picky = bound(self), named = bound(group), sender = socket(AF_INET, SOCK_DGRAM, 0);
  setsockopt(picky, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof off);
  struct ip_mreqn m = by_index(group, lo);
  struct in_addr via;
  SAY(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m));
  getsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &via, &len);
  printf("by %s\n", inet_ntoa(via));
#define SEND(text, to)                                                             \
  SAY(sendto(sender, text, sizeof text - 1, 0, (struct sockaddr*)&to, sizeof to)); \
  arrived("all", all), arrived("picky", picky), arrived("named", named)
  SEND("nobody", group);
  SAY(JOIN(all, m));
  SEND("joined", group);
  SAY(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_LOOP, &off, sizeof off));
  SEND("no loop", group);
  SEND("other", other);
  SAY(JOIN(picky, m));
  SEND("both", group);
  SAY(LEAVE(all, m));
  SEND("one", group);
  close(picky);
  SEND("left", group);

  // Bound to lo's address: by lo, without being told.
  int local = bound(at("127.0.0.1", 0));
  SAY(JOIN(all, m));
  SAY(sendto(local, "bound", 5, 0, (struct sockaddr*)&group, sizeof group));
  arrived("all", all);
  SAY(connect(local, (struct sockaddr*)&group, sizeof group));
  SAY(send(local, "connected", 9, 0));
  arrived("all", all);
  int device = socket(AF_INET, SOCK_DGRAM, 0);
  char name[IFNAMSIZ] = "";
  SAY(setsockopt(device, SOL_SOCKET, SO_BINDTODEVICE, "none", 5));
  SAY(setsockopt(device, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
  len = sizeof name;
  SAY(getsockopt(device, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
  printf("bound to %s, %u\n", name, len);
  SAY(setsockopt(device, SOL_SOCKET, SO_BINDTODEVICE, "", 0));  // takes CAP_NET_RAW
  SAY(sendto(device, "device", 6, 0, (struct sockaddr*)&group, sizeof group));
  printf("  all: %zd bytes\n", recv(all, name, sizeof name, MSG_DONTWAIT));
  struct sockaddr_in any6 = at("0.0.0.0", 0);
  int six = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6 self6 = {.sin6_family = AF_INET6};
  SAY(bind(six, (struct sockaddr*)&self6, sizeof self6));
  len = sizeof self6;
  getsockname(six, (struct sockaddr*)&self6, &len);
  SAY(JOIN(six, m));
  any6 = at("239.1.2.3", self6.sin6_port);
  SAY(sendto(sender, "mapped", 6, 0, (struct sockaddr*)&any6, sizeof any6));
  arrived("six", six);
  close(six), close(all), close(named), close(sender), close(local);
}

static void rules(void) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in group = at("239.5.5.5", 0);
  struct ip_mreqn m = by_index(group, lo), bad = by_index(group, 9999),
                  single = by_index(at("10.0.0.1", 0), lo);
  struct ip_mreq q = {group.sin_addr, {htonl(INADDR_LOOPBACK)}},
                 nowhere = {group.sin_addr, {htonl(0x0a636363)}};
  SAY(LEAVE(s, m));
  SAY(JOIN(s, single));
  SAY(JOIN(s, bad));
  SAY(JOIN(s, nowhere));
  SAY(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, 4));
  SAY(JOIN(s, q));
  SAY(JOIN(s, q));
  SAY(JOIN(s, m));
  SAY(LEAVE(s, m));
  struct group_req r = {.gr_interface = (uint32_t)lo};
  memcpy(&r.gr_group, &group, sizeof group);
#define GROUP(s, name) setsockopt(s, IPPROTO_IP, name, &r, sizeof r)
  SAY(GROUP(s, MCAST_JOIN_GROUP));
  SAY(GROUP(s, MCAST_JOIN_GROUP));
  SAY(setsockopt(s, IPPROTO_IP, MCAST_LEAVE_GROUP, &r, 8));
  SAY(GROUP(s, MCAST_LEAVE_GROUP));
  SAY(GROUP(s, MCAST_LEAVE_GROUP));
  r.gr_interface = 9999;
  SAY(GROUP(s, MCAST_JOIN_GROUP));
  r.gr_interface = (uint32_t)lo;
  int joined = 0;
  for (; joined < 30; joined++) {
    m.imr_multiaddr.s_addr = htonl(0xef020000U + (unsigned)joined);
    if (JOIN(s, m) != 0) break;
  }
  printf("%d groups, then %s\n", joined, strerrorname_np(errno));
  close(s);

  // Streams may join by MCAST_JOIN_GROUP only, and those they accept are in no group.
  int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in self = at("127.0.0.1", 0);
  socklen_t len = sizeof self;
  m = by_index(group, lo);
  SAY(JOIN(listener, m));
  SAY(GROUP(listener, MCAST_JOIN_GROUP));
  SAY(bind(listener, (struct sockaddr*)&self, sizeof self));
  SAY(listen(listener, 1));
  getsockname(listener, (struct sockaddr*)&self, &len);
  SAY(connect(client, (struct sockaddr*)&self, sizeof self));
  int accepted = accept(listener, NULL, NULL);
  SAY(GROUP(accepted, MCAST_LEAVE_GROUP));
  SAY(GROUP(listener, MCAST_LEAVE_GROUP));
}

static void ipv6(void) {
  int s = socket(AF_INET6, SOCK_DGRAM, 0), stream = socket(AF_INET6, SOCK_STREAM, 0), index = -1;
  socklen_t len = sizeof index;
  struct ipv6_mreq m = {.ipv6mr_interface = (unsigned)lo};
  inet_pton(AF_INET6, "ff01::1234", &m.ipv6mr_multiaddr);
  SAY(setsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, &lo, sizeof lo));
  getsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, &len);
  printf("by lo: %d\n", index == lo);
#define OPTION6(s, name) setsockopt(s, IPPROTO_IPV6, name, &m, sizeof m)
  SAY(OPTION6(s, IPV6_LEAVE_GROUP));
  SAY(OPTION6(s, IPV6_JOIN_GROUP));
  SAY(OPTION6(s, IPV6_JOIN_GROUP));
  SAY(OPTION6(stream, IPV6_JOIN_GROUP));
  struct sockaddr_in6 to = {
      .sin6_family = AF_INET6, .sin6_port = htons(7777), .sin6_addr = m.ipv6mr_multiaddr};
  SAY(sendto(s, "x", 1, 0, (struct sockaddr*)&to, sizeof to));  // lo has no route to it
  SAY(OPTION6(s, IPV6_LEAVE_GROUP));
  SAY(OPTION6(s, IPV6_LEAVE_GROUP));
  m.ipv6mr_interface = 9999;
  SAY(OPTION6(s, IPV6_JOIN_GROUP));
  m.ipv6mr_interface = (unsigned)lo;
  inet_pton(AF_INET6, "::1", &m.ipv6mr_multiaddr);
  SAY(OPTION6(s, IPV6_JOIN_GROUP));
  struct group_req r = {.gr_interface = (uint32_t)lo};
  memcpy(&r.gr_group, &to, sizeof to);
  SAY(setsockopt(stream, IPPROTO_IPV6, MCAST_JOIN_GROUP, &r, sizeof r));
  SAY(setsockopt(stream, IPPROTO_IPV6, MCAST_LEAVE_GROUP, &r, sizeof r));
}

int main(void) {
  lo = (int)if_nametoindex("lo");
  datagrams();
  rules();
  ipv6();
  return 0;
}
