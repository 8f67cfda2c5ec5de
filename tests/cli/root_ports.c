// Running out of ports: all of ip_local_port_range, which is made small for it, are taken.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char RANGE[] = "/proc/sys/net/ipv4/ip_local_port_range";
static const char* err(long r) { return r < 0 ? strerrorname_np(errno) : "ok"; }

static void set_range(const char* text) {
  int fd = open(RANGE, O_WRONLY);
  ssize_t n = write(fd, text, strlen(text));
  printf("range '%s': %s", text, err(n));
  close(fd);
  char now[64] = "";
  fd = open(RANGE, O_RDONLY);
  if (read(fd, now, sizeof now - 1) < 0) perror("read");
  close(fd);
  printf(", is %s", now);
}
static struct sockaddr_in at(const char* ip, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, ip, &a.sin_addr);
  return a;
}
static int port_of(int s) {
  struct sockaddr_in a;
  socklen_t n = sizeof a;
  getsockname(s, (struct sockaddr*)&a, &n);
  return ntohs(a.sin_port);
}
static long bind_to(int s, const char* ip, int port) {
  struct sockaddr_in a = at(ip, port);
  return bind(s, (struct sockaddr*)&a, sizeof a);
}
static long connect_to(int s, int port) {
  struct sockaddr_in a = at("127.0.0.1", port);
  return connect(s, (struct sockaddr*)&a, sizeof a);
}

static void by_bind(const char* name, int type) {
  int s[12], n = 0, seen = 0;
  for (;; n++) {
    s[n] = socket(AF_INET, type, 0);
    if (bind_to(s[n], "127.0.0.1", 0) < 0) break;
    seen |= 1 << (port_of(s[n]) - 40000);
  }
  printf("%s: %d ports, set %x, then %s\n", name, n, seen, err(-1));
  int next = s[n];
  printf("%s: another address %s, outside the range %s\n", name,
         err(bind_to(socket(AF_INET, type, 0), "127.0.0.2", 0)),
         err(bind_to(socket(AF_INET, type, 0), "127.0.0.1", 40010)));
  int freed = port_of(s[3]);
  close(s[3]);
  printf("%s: one is free %s", name, err(bind_to(next, "127.0.0.1", 0)));
  printf(", that one %d\n", port_of(next) == freed);
  if (type == SOCK_STREAM) {
    printf("%s: listen without a name %s\n", name, err(listen(socket(AF_INET, type, 0), 1)));
  } else {
    struct sockaddr_in to = at("127.0.0.1", 40001);
    printf("%s: send without a name %s\n", name,
           err(sendto(socket(AF_INET, type, 0), "x", 1, 0, (struct sockaddr*)&to, sizeof to)));
    printf("%s: connect without a name %s\n", name, err(connect_to(socket(AF_INET, type, 0), 40001)));
  }
}

// Ports for connections are shared between destinations.
static void by_connect(void) {
  int one = socket(AF_INET, SOCK_STREAM, 0), two = socket(AF_INET, SOCK_STREAM, 0), n = 0, s[12];
  printf("listeners %s", err(bind_to(one, "127.0.0.1", 5001)));
  printf(" %s", err(bind_to(two, "127.0.0.1", 5002)));
  printf(" %s", err(listen(one, 20)));
  printf(" %s\n", err(listen(two, 20)));
  for (;; n++) {
    s[n] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect_to(s[n], 5001) < 0) break;
  }
  printf("connected %d, then %s\n", n, err(-1));
  printf("to another port %s\n", err(connect_to(socket(AF_INET, SOCK_STREAM, 0), 5002)));
  printf("bind %s\n", err(bind_to(socket(AF_INET, SOCK_STREAM, 0), "127.0.0.1", 0)));
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct ifreq ifr = {.ifr_name = "lo"};
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  ioctl(s, SIOCGIFFLAGS, &ifr);
  if (!(ifr.ifr_flags & IFF_UP)) {  // as a new network has it
    ifr.ifr_flags |= IFF_UP;
    if (ioctl(s, SIOCSIFFLAGS, &ifr) < 0) return 1;
  }
  close(s);
  set_range("40009 40000");
  set_range("40000 70000");
  set_range("40000 40009\n");
  by_bind("udp", SOCK_DGRAM);
  set_range("40020 40029");
  by_connect();
  set_range("40000 40009");
  by_bind("tcp", SOCK_STREAM);
  return 0;
}
