// Descriptors and credentials passed over AF_UNIX sockets (SCM_RIGHTS, SCM_CREDENTIALS), datagrams.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char* err(long r) { return r < 0 ? strerror(errno) : "ok"; }

static ssize_t send_fds(int s, const char* data, const int* fds, int n) {
  char control[CMSG_SPACE(300 * sizeof(int))];
  memset(control, 0, sizeof control);
  struct iovec iov = {(void*)data, strlen(data)};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(n * sizeof(int))};
  struct cmsghdr* c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(n * sizeof(int));
  memcpy(CMSG_DATA(c), fds, n * sizeof(int));
  return sendmsg(s, &m, 0);
}

static int last_fds[8];
static int recv_all(int s, size_t control_len, int flags) {
  char control[256] = "", data[64];
  struct iovec iov = {data, sizeof data};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = control_len};
  ssize_t r = recvmsg(s, &m, flags);
  printf("recvmsg %zd %.*s flags %x control %zu\n", r, r > 0 ? (int)r : 0, data, m.msg_flags, r < 0 ? 0 : (size_t)m.msg_controllen);
  if (r < 0) {
    printf("%s\n", strerror(errno));
    return -1;
  }
  int fds = 0;
  for (struct cmsghdr* c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_type == SCM_RIGHTS) {
      fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      memcpy(last_fds, CMSG_DATA(c), fds * sizeof(int));
      printf(" %d descriptors, cloexec %d\n", fds, fcntl(last_fds[0], F_GETFD));
    } else if (c->cmsg_type == SCM_CREDENTIALS) {
      struct ucred u;
      memcpy(&u, CMSG_DATA(c), sizeof u);
      printf(" credentials pid %d uid %d gid %d\n", u.pid == getpid(), u.uid == getuid(), u.gid == getgid());
    }
  }
  return fds;
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  int s[2], pipes[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pipe(pipes);
  puts("-- a pipe travels");
  send(s[0], "before", 6, 0);
  printf("send %zd\n", send_fds(s[0], "fds", pipes, 2));
  send(s[0], "after", 5, 0);
  recv_all(s[1], 256, 0);
  write(last_fds[1], "through", 7);
  char b[100];
  printf("pipe %zd\n", read(pipes[0], b, sizeof b));
  recv_all(s[1], 256, 0);
  close(last_fds[0]), close(last_fds[1]);

  puts("-- kept alive in flight, to another process");
  send_fds(s[0], "r", pipes, 1);
  close(pipes[0]);
  fflush(stdout);
  if (fork() == 0) {
    recv_all(s[1], 256, MSG_CMSG_CLOEXEC);
    write(pipes[1], "child", 5);
    printf("child read %zd\n", read(last_fds[0], b, sizeof b));
    exit(0);
  }
  wait(NULL);
  close(pipes[1]);

  puts("-- too little room");
  int three[3] = {0, 1, 2};
  send_fds(s[0], "3", three, 3);
  recv_all(s[1], CMSG_LEN(2 * sizeof(int)), 0);
  send_fds(s[0], "3", three, 3);
  recv_all(s[1], 0, 0);
  puts("-- peek makes copies");
  send_fds(s[0], "p", three, 1);
  recv_all(s[1], 256, MSG_PEEK);
  recv_all(s[1], 256, 0);
  puts("-- errors");
  int bad = 999;
  printf("bad fd: %s\n", err(send_fds(s[0], "x", &bad, 1)));
  int many[254] = {0};
  printf("too many: %s\n", err(send_fds(s[0], "x", many, 254)));
  printf("most: %zd\n", send_fds(s[0], "x", many, 253));
  recv_all(s[1], 0, 0);

  puts("-- credentials");
  int on = 1;
  send(s[0], "x", 1, 0);
  setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  send(s[0], "y", 1, 0);
  recv_all(s[1], 256, 0);
  recv_all(s[1], 256, 0);
  struct {
    struct cmsghdr h;
    struct ucred u;
  } cred = {{CMSG_LEN(sizeof(struct ucred)), SOL_SOCKET, SCM_CREDENTIALS}, {getpid(), getuid(), getgid()}};
  struct iovec iov = {"z", 1};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &cred, .msg_controllen = sizeof cred};
  printf("own: %s\n", err(sendmsg(s[0], &m, 0)));
  recv_all(s[1], 256, 0);
  cred.u.uid = 12345;
  printf("other uid: %s\n", err(sendmsg(s[0], &m, 0)));
  cred.u.uid = getuid();
  cred.u.pid = 1;
  printf("other pid: %s\n", err(sendmsg(s[0], &m, 0)));
  cred.h.cmsg_len = 5;
  printf("bad length: %s\n", err(sendmsg(s[0], &m, 0)));

  puts("-- datagrams");
  int d[2];
  socketpair(AF_UNIX, SOCK_DGRAM, 0, d);
  printf("send %zd\n", send(d[0], "12345", 5, 0));
  printf("send %zd\n", send(d[0], "", 0, 0));
  printf("recv %zd\n", recv(d[1], b, 3, MSG_TRUNC));
  printf("recv %zd\n", recv(d[1], b, 3, 0));
  send_fds(d[0], "fd", three, 2);
  recv_all(d[1], 256, 0);
  static char big[300000];
  printf("too big: %s\n", err(send(d[0], big, sizeof big, 0)));
  close(d[1]);
  printf("peer gone: %s\n", err(send(d[0], "x", 1, MSG_NOSIGNAL)));
  printf("again: %s\n", err(send(d[0], "x", 1, MSG_NOSIGNAL)));
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "dgram"};
  unlink("dgram");
  int srv = socket(AF_UNIX, SOCK_DGRAM, 0), cli = socket(AF_UNIX, SOCK_DGRAM, 0);
  printf("bind %s\n", err(bind(srv, (struct sockaddr*)&a, sizeof a)));
  printf("sendto %zd\n", sendto(cli, "hi", 2, 0, (struct sockaddr*)&a, sizeof a));
  struct sockaddr_un from;
  socklen_t n = sizeof from;
  printf("recvfrom %zd", recvfrom(srv, b, sizeof b, 0, (struct sockaddr*)&from, &n));
  printf(" len %u\n", n);
  printf("connect %s\n", err(connect(cli, (struct sockaddr*)&a, sizeof a)));
  n = sizeof from;
  printf("getpeername %s", err(getpeername(cli, (struct sockaddr*)&from, &n)));
  printf(" %u %s\n", n, from.sun_path);
  close(srv);
  printf("refused: %s\n", err(send(cli, "x", 1, 0)));
  printf("refused: %s\n", err(sendto(cli, "x", 1, 0, (struct sockaddr*)&a, sizeof a)));
  unlink("dgram");
  printf("no name: %s\n", err(sendto(cli, "x", 1, 0, (struct sockaddr*)&a, sizeof a)));
  return 0;
}
