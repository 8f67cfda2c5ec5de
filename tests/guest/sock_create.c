// socket(2) errors, option errors and sizes, descriptors that are not sockets, fstat, getifaddrs.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static const char* err(long r) { return r < 0 ? strerror(errno) : "ok"; }
static void make(const char* what, int d, int t, int p) {
  int s = socket(d, t, p);
  printf("%s: %s\n", what, err(s));
  if (s >= 0) close(s);
}
static void opt(const char* what, int s, int level, int name, int v, socklen_t len) {
  int got = -1;
  socklen_t n = sizeof got;
  printf("%s: set %s", what, err(setsockopt(s, level, name, &v, len)));
  long r = getsockopt(s, level, name, &got, &n);
  printf(", get %s", err(r));
  if (r == 0) printf(" %d len %u", got, n);
  puts("");
}

int main(void) {
  make("tcp", AF_INET, SOCK_STREAM, 0);
  make("tcp6", AF_INET6, SOCK_STREAM, IPPROTO_TCP);
  make("udp", AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
  make("bad family", 77, SOCK_STREAM, 0);
  make("negative family", -1, SOCK_STREAM, 0);
  make("bad type", AF_INET, 12, 0);
  make("bad type flags", AF_INET, SOCK_STREAM | 0x100000, 0);
  make("tcp as udp", AF_INET, SOCK_STREAM, IPPROTO_UDP);
  make("udp as tcp", AF_INET6, SOCK_DGRAM, IPPROTO_TCP);
  make("seqpacket", AF_INET, SOCK_SEQPACKET, 0);
  make("rdm", AF_INET, SOCK_RDM, 0);
  make("raw", AF_INET, SOCK_RAW, IPPROTO_ICMP);
  make("raw 0", AF_INET, SOCK_RAW, 0);
  make("packet", AF_PACKET, SOCK_RAW, 0);
  make("protocol 300", AF_INET, SOCK_STREAM, 300);
  make("protocol -1", AF_INET, SOCK_STREAM, -1);
  make("unix", AF_UNIX, SOCK_SEQPACKET, 0);
  make("unix raw", AF_UNIX, SOCK_RAW, 0);
  make("unix rdm", AF_UNIX, SOCK_RDM, 0);
  make("unix protocol", AF_UNIX, SOCK_STREAM, 5);
  make("netlink", AF_NETLINK, SOCK_RAW, 0);
  make("netlink stream", AF_NETLINK, SOCK_STREAM, 0);

  puts("-- options");
  int s = socket(AF_INET, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0);
  opt("REUSEADDR 7", s, SOL_SOCKET, SO_REUSEADDR, 7, 4);
  opt("short", s, SOL_SOCKET, SO_REUSEADDR, 1, 3);
  opt("unknown", s, SOL_SOCKET, 9999, 1, 4);
  opt("SO_TYPE", s, SOL_SOCKET, SO_TYPE, 1, 4);
  opt("SO_DOMAIN", six, SOL_SOCKET, SO_DOMAIN, 1, 4);
  opt("SO_ERROR", s, SOL_SOCKET, SO_ERROR, 1, 4);
  opt("SO_ACCEPTCONN", s, SOL_SOCKET, SO_ACCEPTCONN, 1, 4);
  opt("SO_RCVBUF 20000", s, SOL_SOCKET, SO_RCVBUF, 20000, 4);
  opt("SO_RCVBUF 1", s, SOL_SOCKET, SO_RCVBUF, 1, 4);
  opt("SO_SNDBUF 1", s, SOL_SOCKET, SO_SNDBUF, 1, 4);
  opt("SO_SNDBUF 30000", u, SOL_SOCKET, SO_SNDBUF, 30000, 4);
  opt("SO_RCVLOWAT 0", s, SOL_SOCKET, SO_RCVLOWAT, 0, 4);
  opt("SO_PRIORITY 5", s, SOL_SOCKET, SO_PRIORITY, 5, 4);
  opt("SO_PRIORITY 7", s, SOL_SOCKET, SO_PRIORITY, 7, 4);
  opt("SO_MARK", s, SOL_SOCKET, SO_MARK, 7, 4);
  opt("SO_BROADCAST", u, SOL_SOCKET, SO_BROADCAST, 1, 4);
  opt("SO_RCVBUFFORCE", s, SOL_SOCKET, SO_RCVBUFFORCE, 7000, 4);
  opt("TCP_NODELAY", s, IPPROTO_TCP, TCP_NODELAY, 5, 4);
  opt("TCP_NODELAY udp", u, IPPROTO_TCP, TCP_NODELAY, 1, 4);
  opt("TCP_NODELAY short", s, IPPROTO_TCP, TCP_NODELAY, 1, 2);
  opt("TCP_KEEPIDLE 33", s, IPPROTO_TCP, TCP_KEEPIDLE, 33, 4);
  opt("TCP_KEEPIDLE 0", s, IPPROTO_TCP, TCP_KEEPIDLE, 0, 4);
  opt("TCP_KEEPINTVL", s, IPPROTO_TCP, TCP_KEEPINTVL, 7, 4);
  opt("TCP_KEEPCNT 200", s, IPPROTO_TCP, TCP_KEEPCNT, 200, 4);
  opt("TCP_SYNCNT", s, IPPROTO_TCP, TCP_SYNCNT, 3, 4);
  opt("TCP_USER_TIMEOUT", s, IPPROTO_TCP, TCP_USER_TIMEOUT, 3000, 4);
  opt("TCP_DEFER_ACCEPT 5", s, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5, 4);
  opt("TCP_MAXSEG", s, IPPROTO_TCP, TCP_MAXSEG, 1000, 4);
  opt("TCP unknown", s, IPPROTO_TCP, 999, 1, 4);
  opt("IP_TOS", s, IPPROTO_IP, IP_TOS, 0x10, 4);
  opt("IP_TOS byte", u, IPPROTO_IP, IP_TOS, 0x08, 1);
  opt("IP_TTL 300", s, IPPROTO_IP, IP_TTL, 300, 4);
  opt("IP_TTL -1", s, IPPROTO_IP, IP_TTL, -1, 4);
  opt("IP_RECVERR", u, IPPROTO_IP, IP_RECVERR, 1, 4);
  opt("IP_MTU", u, IPPROTO_IP, IP_MTU, 1, 4);
  opt("IPV6_V6ONLY on v4", s, IPPROTO_IPV6, IPV6_V6ONLY, 1, 4);
  opt("IPV6_V6ONLY", six, IPPROTO_IPV6, IPV6_V6ONLY, 1, 4);
  opt("IPV6_UNICAST_HOPS", six, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 5, 4);
  opt("IP_MULTICAST_TTL", u, IPPROTO_IP, IP_MULTICAST_TTL, 3, 4);
  opt("level 99", s, 99, 1, 1, 4);
  char text[20] = "";
  socklen_t n = sizeof text;
  printf("congestion %s", err(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, text, &n)));
  printf(" len %u\n", n);
  printf("bad congestion %s\n", err(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nonsense", 8)));
  struct linger lg;
  n = sizeof lg;
  printf("linger %s", err(getsockopt(s, SOL_SOCKET, SO_LINGER, &lg, &n)));
  printf(" %d %d len %u\n", lg.l_onoff, lg.l_linger, n);
  printf("linger short %s\n", err(setsockopt(s, SOL_SOCKET, SO_LINGER, &lg, 4)));
  struct timeval tv = {3, 500000};
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  n = sizeof tv;
  getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, &n);
  printf("timeout %ld %ld len %u\n", tv.tv_sec, (long)tv.tv_usec, n);
  n = 2;
  int v = -1;
  printf("short get %s", err(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &n)));
  printf(" %x len %u\n", v, n);
  n = -1;
  printf("negative get %s\n", err(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &n)));
  printf("null value %s\n", err(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, NULL, 4)));

  puts("-- files");
  struct stat st;
  printf("fstat %s", err(fstat(s, &st)));
  printf(" mode %o size %ld\n", st.st_mode, (long)st.st_size);
  printf("lseek %s\n", err(lseek(s, 0, SEEK_SET)));
  printf("read %s\n", err(read(s, &v, 4)));
  printf("not a socket %s\n", err(listen(0, 1)));
  printf("bad fd %s\n", err(listen(99, 1)));
  printf("F_GETFL %x\n", fcntl(s, F_GETFL));
  printf("ftruncate %s\n", err(ftruncate(s, 0)));

  puts("-- lo");
  struct ifaddrs *list, *i;
  printf("getifaddrs %s\n", err(getifaddrs(&list)));
  for (i = list; i; i = i->ifa_next) {
    if (strcmp(i->ifa_name, "lo") || !i->ifa_addr) continue;
    char a[64] = "-", m[64] = "-";
    if (i->ifa_addr->sa_family == AF_INET) {
      inet_ntop(AF_INET, &((struct sockaddr_in*)i->ifa_addr)->sin_addr, a, sizeof a);
      inet_ntop(AF_INET, &((struct sockaddr_in*)i->ifa_netmask)->sin_addr, m, sizeof m);
    } else if (i->ifa_addr->sa_family == AF_INET6) {
      inet_ntop(AF_INET6, &((struct sockaddr_in6*)i->ifa_addr)->sin6_addr, a, sizeof a);
      inet_ntop(AF_INET6, &((struct sockaddr_in6*)i->ifa_netmask)->sin6_addr, m, sizeof m);
    }
    printf("%s family %d flags %x %s %s\n", i->ifa_name, i->ifa_addr->sa_family, i->ifa_flags, a, m);
  }
  printf("index %u\n", if_nametoindex("lo"));
  char ifname[IF_NAMESIZE] = "?";
  if_indextoname(1, ifname);
  printf("name %s\n", ifname);
  struct ifreq ifr;
  memset(&ifr, 0, sizeof ifr);
  strcpy(ifr.ifr_name, "lo");
  printf("SIOCGIFFLAGS %s", err(ioctl(u, SIOCGIFFLAGS, &ifr)));
  printf(" %x\n", ifr.ifr_flags);
  printf("SIOCGIFMTU %s", err(ioctl(u, SIOCGIFMTU, &ifr)));
  printf(" %d\n", ifr.ifr_mtu);
  printf("SIOCGIFADDR %s", err(ioctl(u, SIOCGIFADDR, &ifr)));
  printf(" %s\n", inet_ntoa(((struct sockaddr_in*)&ifr.ifr_addr)->sin_addr));
  printf("SIOCGIFHWADDR %s", err(ioctl(u, SIOCGIFHWADDR, &ifr)));
  printf(" %d\n", ifr.ifr_hwaddr.sa_family);
  printf("SIOCSIFFLAGS %s\n", err(ioctl(u, SIOCSIFFLAGS, &ifr)));
  strcpy(ifr.ifr_name, "nope9");
  printf("no such %s\n", err(ioctl(u, SIOCGIFFLAGS, &ifr)));
  printf("TCGETS-like %s\n", err(ioctl(u, 0x5401, &ifr)));
  printf("FIONREAD on listener-less %s\n", err(ioctl(s, FIONREAD, &v)));
  return 0;
}
