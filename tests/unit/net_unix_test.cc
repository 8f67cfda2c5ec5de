// AF_UNIX: the three types, abstract names, descriptors and credentials, limits.
#include "netstack/unix_socket.h"
#include "unit/net_world.h"

namespace starry {

class UnixTest : public NetTest {
 protected:
  static SockAddr abstract(const std::string& name) {
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    std::copy(name.begin(), name.end(), un.sun_path + 1);
    return SockAddr::from(un, static_cast<uint32_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size()));
  }
  static std::pair<Ref<Socket>, Ref<Socket>> pair(int type) {
    auto p = socketpair_create(AF_UNIX, type, 0);
    p->first->set_status_flags(O_NONBLOCK).value();
    p->second->set_status_flags(O_NONBLOCK).value();
    return *p;
  }
  static int send_file(Socket& s, Ref<File> f, std::string data = "f") {
    IoVec iov = IoVec::kernel(data.data(), data.size());
    SendMsg m{&iov};
    m.files.push_back(std::move(f));
    auto r = s.send(m);
    return r.ok() ? static_cast<int>(*r) : -r.code();
  }
};

TEST_F(UnixTest, StreamPair) {
  auto [a, b] = pair(SOCK_STREAM);
  EXPECT_EQ(5, send(*a, "hello"));
  EXPECT_EQ(5, send(*a, "world"));
  EXPECT_EQ("hellow", recv(*b, 6, MSG_PEEK));
  EXPECT_EQ("hellow", recv(*b, 6));
  EXPECT_EQ("orld", recv(*b, 6));
  EXPECT_EQ("E11", recv(*b));
  EXPECT_EQ(0, a->shutdown(SHUT_WR).code());
  EXPECT_EQ("", recv(*b));
  EXPECT_EQ(-EPIPE, send(*a, "x"));
  EXPECT_EQ(1, send(*b, "y"));
  b.reset();
  EXPECT_EQ("y", recv(*a));
  EXPECT_EQ("", recv(*a));
}

TEST_F(UnixTest, CloseWithUnreadDataResets) {
  auto [a, b] = pair(SOCK_STREAM);
  EXPECT_EQ(1, send(*a, "x"));
  b.reset();
  EXPECT_EQ("E104", recv(*a));
  EXPECT_EQ("", recv(*a));
  EXPECT_EQ(-EPIPE, send(*a, "x"));
}

TEST_F(UnixTest, ListenAndConnect) {
  auto l = open(AF_UNIX, SOCK_STREAM);
  EXPECT_EQ(EINVAL, l->listen(1).code());
  EXPECT_EQ(0, l->bind(abstract("srv")).code());
  auto dup = open(AF_UNIX, SOCK_STREAM), wrong = open(AF_UNIX, SOCK_DGRAM);
  EXPECT_EQ(EADDRINUSE, dup->bind(abstract("srv")).code());
  auto c = open(AF_UNIX, SOCK_STREAM);
  EXPECT_EQ(ECONNREFUSED, c->connect(abstract("srv")).code());
  EXPECT_EQ(EPROTOTYPE, wrong->connect(abstract("srv")).code());
  EXPECT_EQ(0, l->listen(1).code());
  EXPECT_EQ(0, c->connect(abstract("srv")).code());
  EXPECT_EQ(EISCONN, c->connect(abstract("srv")).code());
  auto never = open(AF_UNIX, SOCK_STREAM);
  EXPECT_EQ(0, never->connect(abstract("srv")).code());
  EXPECT_EQ(EAGAIN, dup->connect(abstract("srv")).code());
  EXPECT_EQ(3, send(*c, "pre"));
  auto s = l->accept();
  ASSERT_TRUE(s.ok());
  EXPECT_EQ("pre", recv(**s));
  EXPECT_EQ(2u, (*s)->peer_name()->len);
  EXPECT_EQ(6u, c->peer_name()->len);
  s->reset();
  EXPECT_EQ(6u, c->peer_name()->len);
  l.reset();
  EXPECT_EQ("E104", recv(*never));  // ECONNRESET
  auto again = open(AF_UNIX, SOCK_STREAM);
  EXPECT_EQ(0, again->bind(abstract("srv")).code());
}

TEST_F(UnixTest, Datagrams) {
  auto s = open(AF_UNIX, SOCK_DGRAM), c = open(AF_UNIX, SOCK_DGRAM);
  EXPECT_EQ(0, s->bind(abstract("dg")).code());
  sockaddr_un family_only{};
  family_only.sun_family = AF_UNIX;
  EXPECT_EQ(0, c->bind(SockAddr::from(family_only, 2)).code());  // autobind
  EXPECT_EQ(8u, c->local_name()->len);
  EXPECT_EQ(-ENOTCONN, send(*c, "x"));
  const SockAddr to = abstract("dg");
  int sent = 0;
  while (send(*c, "m" + std::to_string(sent), 0, &to) > 0) sent++;
  EXPECT_EQ(11, sent);  // max_dgram_qlen + 1
  RecvMsg m{};
  EXPECT_EQ("m0", recv(*s, 10, 0, &m));
  EXPECT_EQ(8u, m.name.len);
  EXPECT_EQ(0, c->connect(abstract("dg")).code());
  EXPECT_EQ(1, send(*c, "x"));
  EXPECT_EQ(0u, c->poll() & EPOLLOUT);
  s.reset();
  EXPECT_EQ(-ECONNREFUSED, send(*c, "x"));
  EXPECT_EQ(-ENOTCONN, send(*c, "x"));
}

TEST_F(UnixTest, SeqPacketKeepsBoundaries) {
  auto [a, b] = pair(SOCK_SEQPACKET);
  EXPECT_EQ(3, send(*a, "abc"));
  EXPECT_EQ(2, send(*a, "de"));
  RecvMsg m{};
  EXPECT_EQ("ab", recv(*b, 2, 0, &m));
  EXPECT_NE(0, m.out_flags & MSG_TRUNC);
  EXPECT_EQ("de", recv(*b, 10, 0, &m));
  EXPECT_EQ(0, m.out_flags);
  a.reset();
  EXPECT_EQ("", recv(*b));
  EXPECT_EQ(-EPIPE, send(*b, "x"));
}

TEST_F(UnixTest, Rights) {
  auto [a, b] = pair(SOCK_STREAM);
  auto [x, y] = pair(SOCK_STREAM);
  EXPECT_EQ(2, send(*a, "ab"));
  EXPECT_EQ(2, send_file(*a, x, "cd"));
  EXPECT_EQ(2, send(*a, "ef"));
  EXPECT_EQ(1, unix_files_in_flight());
  RecvMsg m{};
  EXPECT_EQ("abcd", recv(*b, 100, 0, &m));  // ends with the message that carries the descriptor
  ASSERT_EQ(1u, m.files.size());
  EXPECT_EQ(x.get(), m.files[0].get());
  EXPECT_EQ(0, unix_files_in_flight());
  EXPECT_EQ("ef", recv(*b));
  // In flight, the file stays open; it closes with the socket that held it.
  EXPECT_EQ(1, send_file(*a, x));
  x.reset();
  m.files.clear();
  EXPECT_EQ("E11", recv(*y));
  a.reset();
  b.reset();
  EXPECT_EQ("", recv(*y));
}

TEST_F(UnixTest, CyclesAreCollected) {
  auto [w1, w2] = pair(SOCK_STREAM);  // to see that the others are closed
  {
    auto [a, b] = pair(SOCK_STREAM);
    EXPECT_EQ(1, send_file(*a, w1));
    EXPECT_EQ(1, send_file(*a, b));  // b sits in its own queue
    EXPECT_EQ(1, send_file(*b, a));
  }
  w1.reset();
  EXPECT_EQ(3, unix_files_in_flight());
  unix_collect_garbage();
  EXPECT_EQ(0, unix_files_in_flight());
  EXPECT_EQ("", recv(*w2));
}

TEST_F(UnixTest, Credentials) {
  auto [a, b] = pair(SOCK_STREAM);
  EXPECT_EQ(1, send(*a, "x"));
  set(*b, SOL_SOCKET, SO_PASSCRED, 1);
  EXPECT_EQ(1, send(*a, "y"));
  RecvMsg m{};
  EXPECT_EQ("x", recv(*b, 10, 0, &m));  // different credentials do not mix
  ASSERT_EQ(1u, m.control.size());
  ScmCreds c;
  std::memcpy(&c, m.control[0].data.data(), sizeof c);
  EXPECT_EQ(65534u, c.uid);
  EXPECT_EQ("y", recv(*b, 10, 0, &m));
  std::memcpy(&c, m.control[0].data.data(), sizeof c);
  EXPECT_EQ(0u, c.uid);
}

TEST_F(UnixTest, SendBuffer) {
  auto [a, b] = pair(SOCK_STREAM);
  int sent = 0;
  while (send(*a, "1") == 1) sent++;
  EXPECT_EQ(278, sent);  // as native: 212992 bytes, 768 for each message
  EXPECT_EQ(0u, a->poll() & EPOLLOUT);
  EXPECT_EQ(278u, recv(*b, 1000).size());
  EXPECT_NE(0u, a->poll() & EPOLLOUT);
}

}  // namespace starry
