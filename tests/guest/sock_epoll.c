// Sockets in epoll and poll: edge-triggered readiness, half-close and reset events, blocked calls that are
// woken by other threads and by signals.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const char* err(long r) { return r < 0 ? strerror(errno) : "ok"; }
static int l, c, s, ep;

static void make_pair(int family) {
  struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr* a = family == AF_INET6 ? (struct sockaddr*)&a6 : (struct sockaddr*)&a4;
  socklen_t n = family == AF_INET6 ? sizeof a6 : sizeof a4;
  l = socket(family, SOCK_STREAM, 0);
  bind(l, a, n);
  listen(l, 8);
  getsockname(l, a, &n);
  c = socket(family, SOCK_STREAM, 0);
  connect(c, a, n);
  s = accept(l, NULL, NULL);
}
static void drop(void) { close(c), close(s), close(l); }
static void events(const char* what) {
  struct epoll_event e[4];
  int n = epoll_wait(ep, e, 4, 50);
  printf("%s: %d", what, n);
  for (int i = 0; i < n; i++) printf(" %x", e[i].events);
  puts("");
}
static void watch(int fd, unsigned ev) {
  struct epoll_event e = {.events = ev, .data.fd = fd};
  ep = epoll_create1(0);
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static void edges(void) {
  puts("-- edge-triggered");
  char b[10];
  make_pair(AF_INET6);
  watch(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  events("first");
  events("nothing new");
  send(c, "abc", 3, 0);
  events("data");
  events("nothing new");
  send(c, "def", 3, 0);
  events("more data");
  recv(s, b, 2, 0);
  events("partly read");
  recv(s, b, 10, 0);
  shutdown(c, SHUT_WR);
  events("half-close");
  events("nothing new");
  close(c);
  events("closed");
  close(ep);
  drop();

  puts("-- room");
  int p[2];
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p);
  watch(p[0], EPOLLOUT | EPOLLET);
  events("first");
  static char block[1 << 20];
  long total = 0, r;
  while ((r = send(p[0], block, 10000, 0)) > 0) total += r;
  printf("full: %s\n", err(r));
  events("full");
  recv(p[1], block, 20000, 0);
  events("some room");
  while ((r = recv(p[1], block, sizeof block, 0)) > 0) total -= r;
  printf("left %ld\n", total);
  events("emptied");
  close(p[0]), close(p[1]);
  close(ep);

  puts("-- reset");
  make_pair(AF_INET);
  watch(c, EPOLLIN | EPOLLRDHUP | EPOLLET);
  send(c, "x", 1, 0);
  close(s);
  usleep(5000);
  events("reset");
  close(ep);
  drop();

  puts("-- listener");
  make_pair(AF_INET);
  watch(l, EPOLLIN);
  events("idle");
  struct sockaddr_in a;
  socklen_t n = sizeof a;
  getsockname(l, (struct sockaddr*)&a, &n);
  int more = socket(AF_INET, SOCK_STREAM, 0);
  connect(more, (struct sockaddr*)&a, n);
  events("pending");
  events("still pending");
  close(accept(l, NULL, NULL));
  events("accepted");
  shutdown(l, SHUT_RDWR);
  events("shut down");
  close(more);
  close(ep);
  drop();
}

static void on_alarm(int sig) { (void)sig; }
static void* later(void* what) {
  usleep(30000);
  switch ((long)what) {
    case 0:
      send(c, "late", 4, 0);
      break;
    case 1:
      close(c);
      break;
    case 2:
      shutdown(l, SHUT_RDWR);
      break;
    case 3: {
      char b[65536];
      while (recv(s, b, sizeof b, 0) > 0) {
      }
      break;
    }
    case 4:
      shutdown(s, SHUT_RD);
      break;
  }
  return NULL;
}
static pthread_t start(long what) {
  pthread_t t;
  pthread_create(&t, NULL, later, (void*)what);
  return t;
}
static void interrupted(const char* what, int restart) {
  struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = restart ? SA_RESTART : 0};
  sigaction(SIGALRM, &sa, NULL);
  struct itimerval it = {.it_value = {0, 20000}};
  setitimer(ITIMER_REAL, &it, NULL);
  char b[10];
  ssize_t r = recv(s, b, sizeof b, 0);
  printf("%s: %zd %s\n", what, r, r < 0 ? strerror(errno) : "");
}

static void blocking(void) {
  puts("-- blocking");
  char b[100];
  make_pair(AF_INET);
  pthread_t t = start(0);
  printf("recv %zd\n", recv(s, b, sizeof b, 0));
  pthread_join(t, NULL);
  send(c, "12", 2, 0);
  t = start(0);
  printf("waitall %zd\n", recv(s, b, 6, MSG_WAITALL));
  pthread_join(t, NULL);
  interrupted("EINTR", 0);
  t = start(0);
  interrupted("restarted", 1);
  pthread_join(t, NULL);
  struct timeval tv = {0, 100000};
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  interrupted("with a timeout", 1);
  tv = (struct timeval){0, 10000};
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  ssize_t r = recv(s, b, sizeof b, 0);
  printf("timeout %s\n", err(r));
  tv = (struct timeval){0, 0};
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  t = start(4);
  printf("shut down while reading %zd\n", recv(s, b, sizeof b, 0));
  pthread_join(t, NULL);
  drop();
  make_pair(AF_INET);
  t = start(1);
  printf("closed by peer %zd\n", recv(s, b, sizeof b, 0));
  pthread_join(t, NULL);
  t = start(2);
  r = accept(l, NULL, NULL);
  printf("accept on a listener shut down: %s\n", err(r));
  pthread_join(t, NULL);
  close(s), close(l);

  make_pair(AF_INET);
  t = start(3);
  static char big[8 << 20];
  long total = 0;
  while (total < (long)sizeof big && (r = send(c, big, sizeof big - total, 0)) > 0) total += r;
  printf("big send %ld\n", total);
  shutdown(c, SHUT_WR);
  pthread_join(t, NULL);
  drop();

  make_pair(AF_INET);
  tv = (struct timeval){0, 20000};
  setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
  total = 0;
  for (int i = 0; i < 100 && (r = send(c, big, sizeof big, 0)) > 0; i++) total += r;
  printf("send timeout: %s after some %d\n", err(r), total > 0);
  drop();
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  signal(SIGPIPE, SIG_IGN);
  edges();
  blocking();
  return 0;
}
