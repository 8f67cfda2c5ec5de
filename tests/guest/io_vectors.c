// writev(2), pwritev(2) and sendmsg(2): what the pieces of a call point to, also where part of it is not
// readable, is named twice or is too much for one buffer.
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "say.h"

enum { PAGE = 4096, BIG = 200000 };

static char page[PAGE], big[BIG], got[2 * BIG];
static char* hole;  // its first page can be read, the second not

static void show(const char* what, long n) {
  if (n < 0) {
    printf("%s: %s\n", what, strerrorname_np(errno));
    return;
  }
  unsigned long sum = 0;
  for (long i = 0; i < n; ++i) sum = sum * 31 + (unsigned char)got[i];
  printf("%s: %ld bytes, sum %lx\n", what, n, sum);
}

static void through_file(const char* what, const struct iovec* iov, int n) {
  char path[] = "io_vectorsXXXXXX";
  int fd = mkstemp(path);
  unlink(path);
  printf("%s: writev %s, ", what, result(writev(fd, iov, n)));
  printf("pwritev %s, ", result(pwritev(fd, iov, n, 0)));
  printf("pwritev2 %s\n", result(pwritev2(fd, iov, n, 0, 0)));
  show(what, pread(fd, got, sizeof got, 0));
  close(fd);
}

static void files(void) {
  struct iovec many[40];
  for (int i = 0; i < 40; ++i) many[i] = (struct iovec){page + i * 7, (size_t)(i % 9)};
  through_file("one", many + 1, 1);
  through_file("none", many, 0);
  through_file("forty", many, 40);
  through_file("null with length 0", (struct iovec[]){{page, 3}, {NULL, 0}, {page + 9, 4}}, 3);
  through_file("null", (struct iovec[]){{page, 3}, {NULL, 5}, {page + 9, 4}}, 3);
  through_file("null first", (struct iovec[]){{NULL, 5}, {page, 3}}, 2);
  through_file("twice the same", (struct iovec[]){{page, 30}, {page + 10, 30}, {page, 30}}, 3);
  through_file("big", (struct iovec[]){{page, 5}, {big, BIG}, {page, 9}}, 3);
  through_file("to the hole", (struct iovec[]){{page, 5}, {hole + PAGE - 10, 10}, {page, 9}}, 3);
  through_file("into the hole", (struct iovec[]){{page, 5}, {hole + PAGE - 10, 11}, {page, 9}}, 3);
  through_file("big into the hole", (struct iovec[]){{big, BIG}, {hole + PAGE - 10, 11}}, 2);
  struct iovec* self = (struct iovec*)page;
  self[0] = (struct iovec){"abc", 3};
  self[1] = (struct iovec){page + 16 + 8, 8};  // its own length
  through_file("its own array", self, 2);
  struct iovec* edge = (struct iovec*)(hole + PAGE - 24);  // the second one is half in the hole
  edge[0] = (struct iovec){"edge", 4};
  through_file("array at the hole", edge, 1);
  through_file("array in the hole", edge, 2);
}

static void message(const char* what, int to, int from, struct msghdr* m) {
  printf("%s: sendmsg %s\n", what, result(sendmsg(to, m, MSG_DONTWAIT | MSG_NOSIGNAL)));
  char control[512];
  struct sockaddr_un name = {0};
  struct iovec all = {got, sizeof got};
  struct msghdr in = {&name, sizeof name, &all, 1, control, sizeof control, 0};
  long n = recvmsg(from, &in, MSG_DONTWAIT);
  show(what, n);
  if (n < 0) return;
  for (struct cmsghdr* c = CMSG_FIRSTHDR(&in); c != NULL; c = CMSG_NXTHDR(&in, c)) {
    int count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    printf("  %d descriptors\n", count);
    for (int i = 0; i < count; ++i) close(((int*)CMSG_DATA(c))[i]);
  }
}

static void messages(int type) {
  int s[2];
  if (socketpair(AF_UNIX, type, 0, s) != 0) return;
  struct iovec many[30];
  for (int i = 0; i < 30; ++i) many[i] = (struct iovec){page + i * 11, (size_t)(i % 8)};
  struct msghdr m = {.msg_iov = many, .msg_iovlen = 30};
  message("thirty", s[0], s[1], &m);
  char control[CMSG_SPACE(100 * sizeof(int))];
  for (int count = 1; count <= 100; count += 33) {  // more than travels along
    memset(control, 0, sizeof control);
    m = (struct msghdr){.msg_iov = many + 1, .msg_iovlen = 3, .msg_control = control};
    m.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    struct cmsghdr* c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    for (int i = 0; i < count; ++i) ((int*)CMSG_DATA(c))[i] = s[0];
    message("rights", s[0], s[1], &m);
  }
  m = (struct msghdr){.msg_iov = (struct iovec[]){{page, 4}, {hole + PAGE - 2, 4}}, .msg_iovlen = 2};
  message("into the hole", s[0], s[1], &m);
  m = (struct msghdr){.msg_iov = (struct iovec*)(hole + PAGE), .msg_iovlen = 2};
  message("array in the hole", s[0], s[1], &m);
  m = (struct msghdr){.msg_iov = many, .msg_iovlen = 1025};
  message("too many", s[0], s[1], &m);
  m = (struct msghdr){.msg_iov = many + 1, .msg_iovlen = 1, .msg_control = hole + PAGE, .msg_controllen = 24};
  message("control in the hole", s[0], s[1], &m);
  SAY(sendmsg(s[0], (struct msghdr*)(hole + PAGE - 8), MSG_DONTWAIT));
  close(s[0]);
  close(s[1]);
}

static void named(void) {
  int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);
  struct sockaddr_un name = {AF_UNIX, "io_vectors.sock"};
  unlink(name.sun_path);
  SAY(bind(b, (struct sockaddr*)&name, sizeof name));
  struct iovec iov = {"to a name", 9};
  struct msghdr m = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &iov, .msg_iovlen = 1};
  message("named", a, b, &m);
  m.msg_namelen = 3;
  message("short name", a, b, &m);
  m.msg_namelen = 1000;
  message("long name", a, b, &m);
  m.msg_name = hole + PAGE;
  m.msg_namelen = sizeof name;
  message("name in the hole", a, b, &m);
  unlink(name.sun_path);
}

// Nothing is asked for: read(2) says 0 at once, recv(2) of a stream looks whether there is something.
static void nothing_wanted(void) {
  int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), pair[2], raw[2];
  char b[8];
  SAY_NUMBER(recv(c, b, 0, 0));
  SAY_NUMBER(read(c, b, 0));
  struct sockaddr_in self = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
  socklen_t len = sizeof self;
  if (bind(l, (struct sockaddr*)&self, len) != 0 || listen(l, 1) != 0) return;
  getsockname(l, (struct sockaddr*)&self, &len);
  SAY_NUMBER(recv(l, b, 0, MSG_DONTWAIT));
  SAY(connect(c, (struct sockaddr*)&self, len));
  int s = accept(l, NULL, NULL);
  struct msghdr empty = {0};
  SAY_NUMBER(recv(c, b, 0, MSG_DONTWAIT));
  SAY_NUMBER(recv(c, b, 0, MSG_DONTWAIT | MSG_WAITALL));
  SAY_NUMBER(recvmsg(c, &empty, MSG_DONTWAIT));
  SAY_NUMBER(write(s, "ab", 2));
  SAY_NUMBER(recv(c, b, 0, MSG_DONTWAIT));
  SAY_NUMBER(recv(c, b, 0, MSG_PEEK));
  SAY_NUMBER(recv(c, b, 8, 0));
  close(s);
  SAY_NUMBER(recv(c, b, 8, 0));
  SAY_NUMBER(recv(c, b, 0, MSG_DONTWAIT));
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, raw) != 0) return;
  SAY_NUMBER(recv(pair[0], b, 0, MSG_DONTWAIT));
  SAY_NUMBER(write(pair[1], "ab", 2));
  SAY_NUMBER(recv(pair[0], b, 0, MSG_DONTWAIT));
  SAY_NUMBER(recv(pair[0], b, 8, 0));
  close(pair[1]);
  SAY_NUMBER(recv(pair[0], b, 0, MSG_DONTWAIT));
  struct iovec none = {b, 0};
  SAY_NUMBER(writev(raw[0], &none, 1));  // sends nothing
  SAY_NUMBER(recv(raw[1], b, 8, MSG_DONTWAIT));
  SAY_NUMBER(write(raw[0], b, 0));  // sends an empty datagram
  SAY_NUMBER(recv(raw[1], b, 8, MSG_DONTWAIT));
  SAY_NUMBER(send(raw[0], "ab", 2, 0));
  SAY_NUMBER(recv(raw[1], b, 0, MSG_DONTWAIT));
  SAY_NUMBER(recv(raw[1], b, 8, MSG_DONTWAIT));
  close(l), close(c), close(pair[0]), close(raw[0]), close(raw[1]);
}

int main(void) {
  for (int i = 0; i < PAGE; ++i) page[i] = (char)(i * 7 + i / 256);
  for (int i = 0; i < BIG; ++i) big[i] = (char)(i * 13 + i / 1000);
  hole = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(hole + PAGE, PAGE, PROT_NONE);
  memset(hole, 'h', PAGE);
  files();
  puts("datagrams");
  messages(SOCK_DGRAM);
  puts("stream");
  messages(SOCK_STREAM);
  named();
  nothing_wanted();
  return 0;
}
