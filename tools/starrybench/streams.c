/* One process writes 64 KiB at a time, another reads until the end: bytes per second. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

enum { CHUNK = 65536 };
static char buffer[CHUNK];

static double stream(long n, int from, int to) {
  pid_t child = fork();
  MUST(child >= 0);
  if (child == 0) {
    close(from);
    for (long left = n; left > 0;) {
      ssize_t w = write(to, buffer, left < CHUNK ? (size_t)left : CHUNK);
      if (w <= 0) _exit(1);
      left -= w;
    }
    _exit(0);
  }
  close(to);
  double start = now();
  long got = 0;
  for (ssize_t r; (r = read(from, buffer, CHUNK)) > 0;) got += r;
  double took = now() - start;
  int status;
  MUST(got == n && waitpid(child, &status, 0) == child && status == 0);
  close(from);
  return took;
}

static double c_pipe_stream(long n) {
  int p[2];
  MUST(pipe(p) == 0);
  return stream(n, p[0], p[1]);
}

static double c_unix_stream(long n) {
  int s[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
  return stream(n, s[0], s[1]);
}

static double c_tcp_stream(long n) {
  int listener = socket(AF_INET6, SOCK_STREAM, 0), client = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  socklen_t len = sizeof a;
  MUST(bind(listener, (struct sockaddr*)&a, len) == 0 &&
       getsockname(listener, (struct sockaddr*)&a, &len) == 0);
  MUST(listen(listener, 1) == 0 && connect(client, (struct sockaddr*)&a, len) == 0);
  int server = accept(listener, NULL, NULL);
  MUST(server >= 0);
  close(listener);
  return stream(n, server, client);
}

const struct bench_case stream_cases[] = {
    {"tcp_stream", 1, 8 << 20, c_tcp_stream},
    {"unix_stream", 1, 8 << 20, c_unix_stream},
    {"pipe_stream", 1, 8 << 20, c_pipe_stream},
    {NULL, 0, 0, NULL},
};
