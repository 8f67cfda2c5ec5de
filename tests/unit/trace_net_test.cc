// Socket calls and ioctls as strace 6.1 prints them.
#include <arpa/inet.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "emulated_kernel/abi/syscall_types.h"
#include "unit/trace_world.h"

namespace starry {
namespace {

sockaddr_in inet4(const char* addr, uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  inet_pton(AF_INET, addr, &a.sin_addr);
  return a;
}

TEST(TraceNet, Socket) {
  EXPECT_EQ(TestCall("socket", {AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP}).line(4),
            "socket(AF_INET6, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 4");
  EXPECT_EQ(TestCall("socket", {AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0}).line(4),
            "socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE) = 4");
}

TEST(TraceNet, Addresses) {
  TestCall c("connect", {3, A, 16});
  c.mem.put(A, inet4("127.0.0.1", 554));
  EXPECT_EQ(
      c.line(0, EINPROGRESS),
      "connect(3, {sa_family=AF_INET, sin_port=htons(554), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = -1 "
      "EINPROGRESS (Operation now in progress)");
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(554);
  TestCall b("bind", {11, A, 28});
  b.mem.put(A, six);
  EXPECT_EQ(b.line(0),
            "bind(11, {sa_family=AF_INET6, sin6_port=htons(554), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "
            "\"::\", "
            "&sin6_addr), sin6_scope_id=0}, 28) = 0");
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  strcpy(un.sun_path, "/nope/sock");
  TestCall u("connect", {3, A, sizeof un});
  u.mem.put(A, un);
  EXPECT_EQ(u.line(0), "connect(3, {sa_family=AF_UNIX, sun_path=\"/nope/sock\"}, 110) = 0");
  TestCall abstract("bind", {3, A, 11});
  abstract.mem.put_bytes(A, std::string("\1\0\0abstract", 11));
  EXPECT_EQ(abstract.line(0), "bind(3, {sa_family=AF_UNIX, sun_path=@\"abstract\"}, 11) = 0");
}

TEST(TraceNet, LengthsThatChange) {
  TestCall c("accept4", {15, A, B, SOCK_NONBLOCK});
  c.mem.put<int>(B, 100);
  EXPECT_EQ(c.enter(), "accept4(15, ");
  c.mem.put(A, inet4("127.0.0.1", 34792));
  c.mem.put<int>(B, 16);
  EXPECT_EQ(c.leave(17),
            "{sa_family=AF_INET, sin_port=htons(34792), sin_addr=inet_addr(\"127.0.0.1\")}, [100 => 16], "
            "SOCK_NONBLOCK");
  EXPECT_EQ(
      c.line(0, EAGAIN),
      "accept4(15, 0x7ffe00001000, [16], SOCK_NONBLOCK) = -1 EAGAIN (Resource temporarily unavailable)");
}

TEST(TraceNet, Options) {
  TestCall c("setsockopt", {3, IPPROTO_TCP, TCP_NODELAY, A, 4});
  c.mem.put<int>(A, 1);
  EXPECT_EQ(c.line(0), "setsockopt(3, SOL_TCP, TCP_NODELAY, [1], 4) = 0");
  TestCall l("setsockopt", {3, SOL_SOCKET, SO_LINGER, A, 8});
  l.mem.put(A, linger{1, 5});
  EXPECT_EQ(l.line(0), "setsockopt(3, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=5}, 8) = 0");
  TestCall g("getsockopt", {3, SOL_SOCKET, SO_ERROR, A, B});
  g.mem.put<int>(A, 111);
  g.mem.put<int>(B, 4);
  EXPECT_EQ(g.enter(), "getsockopt(3, SOL_SOCKET, SO_ERROR, ");
  EXPECT_EQ(g.line(0), "getsockopt(3, SOL_SOCKET, SO_ERROR, [111], [4]) = 0");
}

TEST(TraceNet, MessagesAndDescriptorsInThem) {
  GuestMsghdr m{};
  m.iov = B;
  m.iovlen = 1;
  m.control = C;
  m.controllen = 24;
  TestCall c("sendmsg", {9, A, 0});
  c.mem.put(A, m);
  c.mem.put(B, GuestIovec{D, 3});
  c.mem.put_bytes(D, "dgr");
  struct {
    uint64_t len;
    int level, type, fds[2];
  } rights{24, SOL_SOCKET, SCM_RIGHTS, {0, 1}};
  c.mem.put(C, rights);
  const std::string body =
      "{msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"dgr\", iov_len=3}], msg_iovlen=1, "
      "msg_control=[{cmsg_len=24, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[0, 1]}], "
      "msg_controllen=24, msg_flags=0}";
  EXPECT_EQ(c.line(3), "sendmsg(9, " + body + ", 0) = 3");
  TestCall r("recvmsg", {9, A, MSG_DONTWAIT});
  r.mem = c.mem;
  EXPECT_EQ(r.enter(), "recvmsg(9, ");
  EXPECT_EQ(r.leave(3), body + ", MSG_DONTWAIT");
  EXPECT_EQ(r.line(0, EAGAIN),
            "recvmsg(9, {msg_namelen=0}, MSG_DONTWAIT) = -1 EAGAIN (Resource temporarily unavailable)");
}

TEST(TraceNet, RecvmsgNameLength) {
  GuestMsghdr m{};
  m.name = B;
  m.namelen = 128;
  m.iov = C;
  TestCall c("recvmsg", {9, A, 0});
  c.mem.put(A, m);
  c.enter();
  m.namelen = 16;
  c.mem.put(A, m);
  c.mem.put(B, inet4("10.0.0.1", 5));
  EXPECT_EQ(c.leave(0),
            "{msg_name={sa_family=AF_INET, sin_port=htons(5), sin_addr=inet_addr(\"10.0.0.1\")}, "
            "msg_namelen=128 => "
            "16, msg_iov=[], msg_iovlen=0, msg_controllen=0, msg_flags=0}, 0");
}

TEST(TraceNet, Ioctl) {
  TestCall w("ioctl", {0, TIOCGWINSZ, A});
  w.mem.put(A, winsize{24, 80, 1, 2});
  EXPECT_EQ(w.line(0), "ioctl(0, TIOCGWINSZ, {ws_row=24, ws_col=80, ws_xpixel=1, ws_ypixel=2}) = 0");
  EXPECT_EQ(w.line(0, ENOTTY),
            "ioctl(0, TIOCGWINSZ, 0x7ffe00001000) = -1 ENOTTY (Inappropriate ioctl for device)");
  TestCall b("ioctl", {4, FIONBIO, A});
  b.mem.put<int>(A, 1);
  EXPECT_EQ(b.line(0), "ioctl(4, FIONBIO, [1]) = 0");
  EXPECT_EQ(TestCall("ioctl", {4, FIOCLEX}).line(0), "ioctl(4, FIOCLEX) = 0");
  EXPECT_EQ(TestCall("ioctl", {4, 0xc0045499, 5}).line(0, ENOTTY),
            "ioctl(4, _IOC(_IOC_READ|_IOC_WRITE, 0x54, 0x99, 0x4), 0x5) = -1 ENOTTY (Inappropriate ioctl for "
            "device)");
}

}  // namespace
}  // namespace starry
