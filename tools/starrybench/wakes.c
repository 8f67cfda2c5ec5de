/* Ping-pong of two threads or processes: an operation is one round trip. */
#include <arpa/inet.h>
#include <linux/futex.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

enum { MESSAGE = 32 };

static uint32_t turn;
static long rounds;

static void wait_turn(uint32_t mine) {
  uint32_t v;
  while ((v = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != mine)
    syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, v, NULL);
}

static void pass_turn(uint32_t to) {
  __atomic_store_n(&turn, to, __ATOMIC_RELEASE);
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1);
}

static void* futex_peer(void* arg) {
  for (long i = 0; i < rounds; ++i) {
    wait_turn(1);
    pass_turn(0);
  }
  return arg;
}

static double c_futex_pingpong(long n) {
  pthread_t t;
  rounds = n;
  turn = 0;
  MUST(pthread_create(&t, NULL, futex_peer, NULL) == 0);
  double start = now();
  for (long i = 0; i < n; ++i) {
    pass_turn(1);
    wait_turn(0);
  }
  double took = now() - start;
  pthread_join(t, NULL);
  return took;
}

/* `mine` and `theirs`: descriptors to read and write, of this process and of the child. */
static double pingpong(long n, const int mine[2], const int theirs[2], size_t size) {
  char buf[MESSAGE] = {1};
  pid_t child = fork();
  MUST(child >= 0);
  if (child == 0) {
    for (long i = 0; i < n; ++i)
      if (read(theirs[0], buf, size) != (ssize_t)size || write(theirs[1], buf, size) != (ssize_t)size)
        _exit(1);
    _exit(0);
  }
  double start = now();
  for (long i = 0; i < n; ++i)
    MUST(write(mine[1], buf, size) == (ssize_t)size && read(mine[0], buf, size) == (ssize_t)size);
  double took = now() - start;
  int status;
  MUST(waitpid(child, &status, 0) == child && status == 0);
  return took;
}

static double c_pipe_pingpong(long n) {
  int a[2], b[2];
  MUST(pipe(a) == 0 && pipe(b) == 0);
  double took = pingpong(n, (int[]){a[0], b[1]}, (int[]){b[0], a[1]}, 1);
  for (int i = 0; i < 2; ++i) close(a[i]), close(b[i]);
  return took;
}

static double c_eventfd_pingpong(long n) {
  int a = eventfd(0, 0), b = eventfd(0, 0);
  MUST(a >= 0 && b >= 0);
  double took = pingpong(n, (int[]){a, b}, (int[]){b, a}, 8);
  close(a), close(b);
  return took;
}

static double over_sockets(long n, int one, int other) {
  double took = pingpong(n, (int[]){one, one}, (int[]){other, other}, MESSAGE);
  close(one), close(other);
  return took;
}

static double c_unix_pingpong(long n) {
  int s[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
  return over_sockets(n, s[0], s[1]);
}

static struct sockaddr_in6 loopback(int fd) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  socklen_t len = sizeof a;
  MUST(bind(fd, (struct sockaddr*)&a, len) == 0 && getsockname(fd, (struct sockaddr*)&a, &len) == 0);
  return a;
}

static double c_tcp_pingpong(long n) {
  int listener = socket(AF_INET6, SOCK_STREAM, 0), client = socket(AF_INET6, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in6 a = loopback(listener);
  MUST(listen(listener, 1) == 0 && connect(client, (struct sockaddr*)&a, sizeof a) == 0);
  int server = accept(listener, NULL, NULL);
  MUST(server >= 0);
  close(listener);
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return over_sockets(n, client, server);
}

static double c_udp_pingpong(long n) {
  int s = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6 sa = loopback(s), ca = loopback(c);
  MUST(connect(s, (struct sockaddr*)&ca, sizeof ca) == 0 &&
       connect(c, (struct sockaddr*)&sa, sizeof sa) == 0);
  return over_sockets(n, c, s);
}

const struct bench_case wake_cases[] = {
    {"futex_pingpong", 0, 100, c_futex_pingpong},
    {"pipe_pingpong", 0, 100, c_pipe_pingpong},
    {"eventfd_pingpong", 0, 100, c_eventfd_pingpong},
    {"tcp_pingpong", 0, 100, c_tcp_pingpong},
    {"udp_pingpong", 0, 100, c_udp_pingpong},
    {"unix_pingpong", 0, 100, c_unix_pingpong},
    {NULL, 0, 0, NULL},
};
