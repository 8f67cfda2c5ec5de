// TCP over the private loopback: handshake, errors, closing, options.
#include <netinet/tcp.h>

#include "netstack/publish.h"
#include "unit/net_world.h"

namespace starry {

class TcpTest : public NetTest {
 protected:
  struct Pair {
    Ref<Socket> client, server;
  };
  Ref<Socket> listener(const SockAddr& a, int backlog = 16) {
    auto l = open(a.family(), SOCK_STREAM);
    EXPECT_EQ(0, set(*l, SOL_SOCKET, SO_REUSEADDR, 1));
    EXPECT_EQ(0, l->bind(a).code());
    EXPECT_EQ(0, l->listen(backlog).code());
    return l;
  }
  Pair connected() {
    auto l = listener(v4("127.0.0.1", 0));
    Pair p;
    p.client = open(AF_INET, SOCK_STREAM);
    EXPECT_EQ(EINPROGRESS, p.client->connect(v4("127.0.0.1", port_of(*l))).code());
    EXPECT_EQ(0, get(*p.client, SOL_SOCKET, SO_ERROR));
    auto s = l->accept();
    EXPECT_TRUE(s.ok());
    p.server = *s;
    EXPECT_TRUE(p.server->set_status_flags(O_NONBLOCK).ok());
    return p;
  }
};

TEST_F(TcpTest, HandshakeAndStates) {
  auto l = listener(v6("::", 0));
  EXPECT_EQ(EAGAIN, l->accept().code());
  EXPECT_EQ(0u, l->poll());
  auto c = open(AF_INET, SOCK_STREAM);
  EXPECT_EQ(static_cast<uint32_t>(EPOLLOUT | EPOLLWRNORM | EPOLLHUP), c->poll());
  EXPECT_EQ(EINPROGRESS, c->connect(v4("127.3.2.1", port_of(*l))).code());
  EXPECT_EQ(static_cast<uint32_t>(EPOLLOUT | EPOLLWRNORM), c->poll());
  EXPECT_EQ(0, c->connect(v4("127.3.2.1", port_of(*l))).code());
  EXPECT_EQ(EISCONN, c->connect(v4("127.3.2.1", port_of(*l))).code());
  EXPECT_EQ(static_cast<uint32_t>(EPOLLIN | EPOLLRDNORM), l->poll());
  auto s = l->accept();
  ASSERT_TRUE(s.ok());
  EXPECT_EQ("::ffff:127.0.0.1", show((*s)->peer_name()));
  EXPECT_EQ("::ffff:127.3.2.1", show((*s)->local_name()));
  EXPECT_EQ("127.3.2.1", show(c->peer_name()));
  EXPECT_EQ(5, send(*c, "hello"));
  EXPECT_EQ(5, (*s)->unread_bytes());
  EXPECT_EQ("hel", recv(**s, 3));
  EXPECT_EQ("lo", recv(**s, 3));
}

TEST_F(TcpTest, Ipv6Only) {
  auto l = open(AF_INET6, SOCK_STREAM);
  EXPECT_EQ(0, set(*l, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  EXPECT_EQ(0, l->bind(v6("::", 0)).code());
  EXPECT_EQ(0, l->listen(4).code());
  auto c4 = open(AF_INET, SOCK_STREAM, 0, false);
  EXPECT_EQ(ECONNREFUSED, c4->connect(v4("127.0.0.1", port_of(*l))).code());
  auto c6 = open(AF_INET6, SOCK_STREAM, 0, false);
  EXPECT_EQ(0, c6->connect(v6("::1", port_of(*l))).code());
  // Both families can have the port.
  auto l4 = open(AF_INET, SOCK_STREAM);
  EXPECT_EQ(0, l4->bind(v4("0.0.0.0", port_of(*l))).code());
  EXPECT_EQ(0, l4->listen(4).code());
  EXPECT_EQ(0, c4->connect(v4("127.0.0.1", port_of(*l))).code());
}

TEST_F(TcpTest, RefusedAndUnreachable) {
  auto c = open(AF_INET, SOCK_STREAM);
  EXPECT_EQ(EINPROGRESS, c->connect(v4("127.0.0.1", 9)).code());
  EXPECT_NE(0u, c->poll() & (EPOLLERR | EPOLLHUP));
  EXPECT_EQ(ECONNREFUSED, get(*c, SOL_SOCKET, SO_ERROR));
  EXPECT_EQ(0, get(*c, SOL_SOCKET, SO_ERROR));
  EXPECT_EQ(ECONNABORTED, c->connect(v4("127.0.0.1", 9)).code());
  auto b = open(AF_INET, SOCK_STREAM, 0, false);
  EXPECT_EQ(ECONNREFUSED, b->connect(v4("127.0.0.1", 9)).code());
  EXPECT_EQ(ENETUNREACH, b->connect(v4("192.0.2.1", 9)).code());
  EXPECT_EQ(EADDRNOTAVAIL, b->bind(v4("192.0.2.1", 0)).code());
  EXPECT_EQ(ENOTCONN, b->peer_name().code());
  EXPECT_EQ(-EPIPE, send(*b, "x"));
  EXPECT_EQ("E107", recv(*b));  // ENOTCONN
}

TEST_F(TcpTest, BindRules) {
  auto a = open(AF_INET, SOCK_STREAM), b = open(AF_INET, SOCK_STREAM);
  EXPECT_EQ(0, a->bind(v4("127.0.0.1", 0)).code());
  const uint16_t port = port_of(*a);
  EXPECT_EQ(EADDRINUSE, b->bind(v4("0.0.0.0", port)).code());
  EXPECT_EQ(0, b->bind(v4("127.0.0.2", port)).code());
  EXPECT_EQ(EINVAL, b->bind(v4("127.0.0.2", port)).code());
  auto d = open(AF_INET, SOCK_STREAM), e = open(AF_INET, SOCK_STREAM);
  set(*d, SOL_SOCKET, SO_REUSEADDR, 1);
  set(*e, SOL_SOCKET, SO_REUSEADDR, 1);
  EXPECT_EQ(0, d->bind(v4("127.0.0.3", port)).code());
  EXPECT_EQ(0, e->bind(v4("127.0.0.3", port)).code());
  EXPECT_EQ(0, d->listen(1).code());
  EXPECT_EQ(EADDRINUSE, e->listen(1).code());
  auto f = open(AF_INET, SOCK_STREAM), g = open(AF_INET, SOCK_STREAM);
  set(*f, SOL_SOCKET, SO_REUSEPORT, 1);
  set(*g, SOL_SOCKET, SO_REUSEPORT, 1);
  EXPECT_EQ(0, f->bind(v4("127.0.0.4", port)).code());
  EXPECT_EQ(0, f->listen(1).code());
  EXPECT_EQ(0, g->bind(v4("127.0.0.4", port)).code());
  EXPECT_EQ(0, g->listen(1).code());
}

TEST_F(TcpTest, HalfClose) {
  auto [c, s] = connected();
  EXPECT_EQ(3, send(*c, "abc"));
  EXPECT_EQ(0, c->shutdown(SHUT_WR).code());
  EXPECT_EQ(-EPIPE, send(*c, "x"));
  EXPECT_NE(0u, s->poll() & EPOLLRDHUP);
  EXPECT_EQ("abc", recv(*s));
  EXPECT_EQ("", recv(*s));
  EXPECT_EQ(2, send(*s, "ok"));
  EXPECT_EQ("ok", recv(*c));
  s.reset();
  EXPECT_EQ("", recv(*c));
  EXPECT_EQ(ENOTCONN, c->shutdown(SHUT_WR).code());
}

TEST_F(TcpTest, ResetByUnreadData) {
  auto [c, s] = connected();
  EXPECT_EQ(3, send(*c, "abc"));
  EXPECT_EQ(2, send(*s, "xy"));
  s.reset();
  EXPECT_NE(0u, c->poll() & EPOLLERR);
  EXPECT_EQ("xy", recv(*c));
  EXPECT_EQ("E104", recv(*c));  // ECONNRESET, once
  EXPECT_EQ("", recv(*c));
  EXPECT_EQ(-EPIPE, send(*c, "x"));
}

TEST_F(TcpTest, WriteToClosedPeer) {
  auto [c, s] = connected();
  s.reset();
  EXPECT_EQ(1, send(*c, "x"));  // the reset comes back
  EXPECT_EQ(EPIPE, get(*c, SOL_SOCKET, SO_ERROR));
  EXPECT_EQ(-EPIPE, send(*c, "x"));
  EXPECT_EQ("", recv(*c));
}

TEST_F(TcpTest, LingerZeroResets) {
  auto [c, s] = connected();
  const linger l{1, 0};
  EXPECT_TRUE(s->set_option(SOL_SOCKET, SO_LINGER, {reinterpret_cast<const uint8_t*>(&l), sizeof l}).ok());
  s.reset();
  EXPECT_EQ("E104", recv(*c));
}

TEST_F(TcpTest, ListenerCloseResetsQueue) {
  auto l = listener(v4("127.0.0.1", 0));
  auto c = open(AF_INET, SOCK_STREAM, 0, false);
  EXPECT_EQ(0, c->connect(v4("127.0.0.1", port_of(*l))).code());
  l.reset();
  c->set_status_flags(O_NONBLOCK).value();
  EXPECT_EQ("E104", recv(*c));
}

TEST_F(TcpTest, FullBacklogIsRetried) {
  auto l = listener(v4("127.0.0.1", 0), 0);
  const SockAddr to = v4("127.0.0.1", port_of(*l));
  auto a = open(AF_INET, SOCK_STREAM), b = open(AF_INET, SOCK_STREAM);
  EXPECT_EQ(EINPROGRESS, a->connect(to).code());
  EXPECT_EQ(EINPROGRESS, b->connect(to).code());
  EXPECT_EQ(0u, b->poll() & EPOLLOUT);
  EXPECT_EQ(EALREADY, b->connect(to).code());
  EXPECT_TRUE(l->accept().ok());
  EXPECT_EQ(EAGAIN, l->accept().code());
  pass(3000);
  EXPECT_NE(0u, b->poll() & EPOLLOUT);
  EXPECT_TRUE(l->accept().ok());
  // Without a server that accepts, the attempt ends after all repetitions.
  auto full = open(AF_INET, SOCK_STREAM), d = open(AF_INET, SOCK_STREAM);
  EXPECT_EQ(EINPROGRESS, full->connect(to).code());
  EXPECT_EQ(EINPROGRESS, d->connect(to).code());
  pass(100'000);
  EXPECT_EQ(0, get(*d, SOL_SOCKET, SO_ERROR));
  pass(60'000);
  EXPECT_EQ(ETIMEDOUT, get(*d, SOL_SOCKET, SO_ERROR));
  EXPECT_EQ(UINT64_MAX, timer_queue().next_deadline());  // an idle stack has no timers
}

TEST_F(TcpTest, FlowControl) {
  auto [c, s] = connected();
  EXPECT_EQ(0, set(*c, SOL_SOCKET, SO_SNDBUF, 10000));
  EXPECT_EQ(20000, get(*c, SOL_SOCKET, SO_SNDBUF));
  EXPECT_EQ(0, set(*s, SOL_SOCKET, SO_RCVBUF, 10000));
  const std::string block(100'000, 'z');
  const int n = send(*c, block);
  EXPECT_EQ(40000, n);
  EXPECT_EQ(-EAGAIN, send(*c, block));
  EXPECT_EQ(0u, c->poll() & EPOLLOUT);
  EXPECT_EQ(20000, c->unsent_bytes());
  EXPECT_EQ(10000u, recv(*s, 10000).size());
  EXPECT_EQ(0u, c->poll() & EPOLLOUT);
  EXPECT_EQ(10000u, recv(*s, 10000).size());
  EXPECT_NE(0u, c->poll() & EPOLLOUT);
}

TEST_F(TcpTest, PeekTruncCorkUrgent) {
  auto [c, s] = connected();
  EXPECT_EQ(6, send(*c, "abcdef"));
  EXPECT_EQ("abc", recv(*s, 3, MSG_PEEK));
  EXPECT_EQ(3u, recv(*s, 3, MSG_TRUNC).size());
  EXPECT_EQ("def", recv(*s, 10));
  EXPECT_EQ(0, set(*c, IPPROTO_TCP, TCP_CORK, 1));
  EXPECT_EQ(2, send(*c, "gh"));
  EXPECT_EQ("E11", recv(*s));
  EXPECT_EQ(0, set(*c, IPPROTO_TCP, TCP_CORK, 0));
  EXPECT_EQ("gh", recv(*s));
  EXPECT_EQ(1, send(*c, "i", MSG_MORE));
  EXPECT_EQ("E11", recv(*s));
  pass(250);
  EXPECT_EQ("i", recv(*s));
  EXPECT_EQ(3, send(*c, "jkU", MSG_OOB));
  EXPECT_EQ(2, send(*c, "lm"));
  EXPECT_NE(0u, s->poll() & EPOLLPRI);
  EXPECT_EQ("jk", recv(*s));
  EXPECT_TRUE(s->at_oob_mark());
  EXPECT_EQ("U", recv(*s, 1, MSG_OOB));
  EXPECT_EQ("E22", recv(*s, 1, MSG_OOB));
  EXPECT_EQ("lm", recv(*s));
}

TEST_F(TcpTest, TimeWaitKeepsThePort) {
  auto l = listener(v4("127.0.0.1", 0));
  const uint16_t port = port_of(*l);
  auto c = open(AF_INET, SOCK_STREAM, 0, false);
  EXPECT_EQ(0, c->connect(v4("127.0.0.1", port)).code());
  auto s = l->accept();
  ASSERT_TRUE(s.ok());
  s->reset();  // the server closes first
  c.reset();
  l.reset();
  auto again = open(AF_INET, SOCK_STREAM);
  EXPECT_EQ(EADDRINUSE, again->bind(v4("127.0.0.1", port)).code());
  set(*again, SOL_SOCKET, SO_REUSEADDR, 1);
  EXPECT_EQ(0, again->bind(v4("127.0.0.1", port)).code());
  again.reset();
  pass(61'000);
  auto later = open(AF_INET, SOCK_STREAM);
  EXPECT_EQ(0, later->bind(v4("127.0.0.1", port)).code());
}

TEST_F(TcpTest, PortExhaustion) {
  auto l = listener(v4("127.0.0.1", 0), 4096);
  const SockAddr to = v4("127.0.0.1", port_of(*l));
  std::vector<Ref<Socket>> clients;
  int error = 0;
  while (clients.size() < 30000) {
    auto c = open(AF_INET, SOCK_STREAM, 0, false);
    error = c->connect(to).code();
    if (error != 0) break;
    clients.push_back(c);
    EXPECT_TRUE(l->accept().ok());
  }
  EXPECT_EQ(EADDRNOTAVAIL, error);
  EXPECT_EQ(static_cast<size_t>(60999 - 32768 + 1 - 1), clients.size());  // one is the listener's
  // Another destination has all ports again.
  auto other = open(AF_INET, SOCK_STREAM, 0, false);
  EXPECT_EQ(0, other->bind(v4("127.0.0.9", 0)).code());
}

TEST_F(TcpTest, Options) {
  auto s = open(AF_INET, SOCK_STREAM);
  EXPECT_EQ(16384, get(*s, SOL_SOCKET, SO_SNDBUF));
  EXPECT_EQ(131072, get(*s, SOL_SOCKET, SO_RCVBUF));
  EXPECT_EQ(0, set(*s, SOL_SOCKET, SO_RCVBUF, 262144));
  EXPECT_EQ(425984, get(*s, SOL_SOCKET, SO_RCVBUF));
  EXPECT_EQ(0, set(*s, SOL_SOCKET, SO_SNDBUF, 1));
  EXPECT_EQ(4608, get(*s, SOL_SOCKET, SO_SNDBUF));
  EXPECT_EQ(SOCK_STREAM, get(*s, SOL_SOCKET, SO_TYPE));
  EXPECT_EQ(ENOPROTOOPT, set(*s, SOL_SOCKET, SO_TYPE, 1));
  EXPECT_EQ(-ENOPROTOOPT, get(*s, SOL_SOCKET, 9999));
  EXPECT_EQ(ENOPROTOOPT, set(*s, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  EXPECT_EQ(0, set(*s, IPPROTO_TCP, TCP_NODELAY, 1));
  EXPECT_EQ(1, get(*s, IPPROTO_TCP, TCP_NODELAY));
  auto name = s->get_option(IPPROTO_TCP, TCP_CONGESTION, 64);
  EXPECT_STREQ("cubic", reinterpret_cast<const char*>(name->data()));
}

TEST_F(TcpTest, Published) {
  auto l = listener(v6("::", 0));
  std::string events;
  PublishedTcp out({.connected = [&] { events += "c"; },
                    .failed = [&](int) { events += "f"; },
                    .readable = [&] { events += "r"; },
                    .writable = [&] { events += "w"; },
                    .reset = [&](int) { events += "x"; }});
  out.connect(port_of(*l));
  EXPECT_EQ("c", events);
  auto s = l->accept();
  ASSERT_TRUE(s.ok());
  EXPECT_EQ("::ffff:127.0.0.1", show((*s)->peer_name()));
  const std::string text = "to guest";
  EXPECT_EQ(8u, out.write({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
  EXPECT_EQ(text, recv(**s));
  EXPECT_EQ(4, send(**s, "back"));
  uint8_t buf[10];
  EXPECT_EQ(4u, out.read(buf));
  EXPECT_FALSE(out.at_eof());
  s->reset();
  EXPECT_TRUE(out.at_eof());
  EXPECT_EQ("crr", events);
  PublishedTcp none({.connected = [] {},
                     .failed = [&](int e) { events += std::to_string(e); },
                     .readable = [] {},
                     .writable = [] {},
                     .reset = [](int) {}});
  none.connect(9);
  EXPECT_EQ("crr111", events);
}

}  // namespace starry
