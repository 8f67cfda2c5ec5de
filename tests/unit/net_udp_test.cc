// UDP, ping sockets, netlink and /proc/net.
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "netstack/proc_net.h"
#include "netstack/publish.h"
#include "unit/net_world.h"

namespace starry {

using UdpTest = NetTest;

TEST_F(UdpTest, SendAndReceive) {
  auto a = open(AF_INET, SOCK_DGRAM), b = open(AF_INET6, SOCK_DGRAM);
  EXPECT_EQ(-EDESTADDRREQ, send(*a, "x"));
  EXPECT_EQ(0, b->bind(v6("::", 0)).code());
  const SockAddr to = v4("127.0.0.7", port_of(*b));
  EXPECT_EQ(5, send(*a, "hello", 0, &to));
  EXPECT_EQ(0, send(*a, "", 0, &to));
  EXPECT_EQ(5, b->unread_bytes());
  RecvMsg m{};
  EXPECT_EQ("hel", recv(*b, 3, MSG_PEEK, &m));
  EXPECT_EQ(MSG_TRUNC, m.out_flags);
  EXPECT_EQ("::ffff:127.0.0.1", show(m.name));
  EXPECT_EQ("hello", recv(*b));
  EXPECT_EQ("", recv(*b));
  EXPECT_EQ("E11", recv(*b));
  // And back, over the mapped address.
  const SockAddr back = m.name;
  EXPECT_EQ(2, send(*b, "re", 0, &back));
  EXPECT_EQ("re", recv(*a, 10, 0, &m));
  EXPECT_EQ("127.0.0.1", show(m.name));
}

TEST_F(UdpTest, BigAndTooBig) {
  auto a = open(AF_INET, SOCK_DGRAM), b = open(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(0, b->bind(v4("127.0.0.1", 0)).code());
  EXPECT_EQ(0, a->connect(v4("127.0.0.1", port_of(*b))).code());
  EXPECT_EQ(65507, send(*a, std::string(65507, 'q')));
  EXPECT_EQ(65507u, recv(*b, 70000).size());
  EXPECT_EQ(-EMSGSIZE, send(*a, std::string(65508, 'q')));
}

TEST_F(UdpTest, RefusedWhenConnected) {
  auto a = open(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(0, a->connect(v4("127.0.0.1", 9)).code());
  EXPECT_EQ(1, send(*a, "x"));
  EXPECT_NE(0u, a->poll() & EPOLLERR);
  EXPECT_EQ("E111", recv(*a));
  EXPECT_EQ(1, send(*a, "x"));
  EXPECT_EQ(-ECONNREFUSED, send(*a, "x"));
  auto six = open(AF_INET6, SOCK_DGRAM);
  EXPECT_EQ(0, six->connect(v6("::1", 9)).code());
  EXPECT_EQ(1, send(*six, "x"));
  EXPECT_EQ(ECONNREFUSED, get(*six, SOL_SOCKET, SO_ERROR));
  // Without connect(2) nobody is told.
  auto b = open(AF_INET, SOCK_DGRAM);
  const SockAddr to = v4("127.0.0.1", 9);
  EXPECT_EQ(1, send(*b, "x", 0, &to));
  EXPECT_EQ(0, get(*b, SOL_SOCKET, SO_ERROR));
  EXPECT_EQ(0, set(*b, IPPROTO_IP, IP_RECVERR, 1));
  EXPECT_EQ(1, send(*b, "x", 0, &to));
  RecvMsg m{};
  EXPECT_EQ("", recv(*b, 10, MSG_ERRQUEUE, &m));
  ASSERT_EQ(1u, m.control.size());
  EXPECT_EQ(IP_RECVERR, m.control[0].type);
}

TEST_F(UdpTest, ConnectedSocketsWin) {
  auto server = open(AF_INET, SOCK_DGRAM), special = open(AF_INET, SOCK_DGRAM),
       client = open(AF_INET, SOCK_DGRAM);
  for (auto* s : {&server, &special}) set(**s, SOL_SOCKET, SO_REUSEADDR, 1);
  EXPECT_EQ(0, server->bind(v4("0.0.0.0", 0)).code());
  const uint16_t port = port_of(*server);
  EXPECT_EQ(0, special->bind(v4("0.0.0.0", port)).code());
  EXPECT_EQ(0, client->bind(v4("127.0.0.1", 0)).code());
  EXPECT_EQ(0, special->connect(v4("127.0.0.1", port_of(*client))).code());
  const SockAddr to = v4("127.0.0.1", port);
  EXPECT_EQ(1, send(*client, "s", 0, &to));
  EXPECT_EQ("s", recv(*special));
  auto other = open(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(1, send(*other, "o", 0, &to));
  EXPECT_EQ("o", recv(*server));
}

TEST_F(UdpTest, ShutdownUnconnectedWakesPollers) {
  auto a = open(AF_INET6, SOCK_DGRAM);
  EXPECT_EQ(ENOTCONN, a->shutdown(SHUT_RDWR).code());
  EXPECT_NE(0u, a->poll() & EPOLLHUP);
}

TEST_F(UdpTest, PacketInfo) {
  auto a = open(AF_INET, SOCK_DGRAM), b = open(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(0, b->bind(v4("0.0.0.0", 0)).code());
  set(*b, IPPROTO_IP, IP_PKTINFO, 1);
  set(*b, IPPROTO_IP, IP_RECVTTL, 1);
  set(*a, IPPROTO_IP, IP_TTL, 7);
  const SockAddr to = v4("127.0.0.5", port_of(*b));
  EXPECT_EQ(1, send(*a, "x", 0, &to));
  RecvMsg m{};
  recv(*b, 1, 0, &m);
  ASSERT_EQ(2u, m.control.size());
  in_pktinfo info;
  std::memcpy(&info, m.control[0].data.data(), sizeof info);
  EXPECT_EQ(htonl(0x7f000005), info.ipi_addr.s_addr);
  EXPECT_EQ(7, m.control[1].data[0]);
}

TEST_F(UdpTest, ReceiveBufferDrops) {
  auto a = open(AF_INET, SOCK_DGRAM), b = open(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(0, b->bind(v4("127.0.0.1", 0)).code());
  EXPECT_EQ(0, a->connect(v4("127.0.0.1", port_of(*b))).code());
  for (int i = 0; i < 1000; i++) EXPECT_EQ(1000, send(*a, std::string(1000, 'q')));
  int n = 0;
  while (recv(*b, 2000).size() == 1000) n++;
  EXPECT_GT(n, 50);
  EXPECT_LT(n, 500);
}

TEST_F(UdpTest, Ping) {
  for (int family : {AF_INET, AF_INET6}) {
    auto p = open(family, SOCK_DGRAM, family == AF_INET ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6});
    EXPECT_EQ(0, p->connect(family == AF_INET ? v4("127.0.0.1", 0) : v6("::1", 0)).code());
    std::string echo("\x08\0\0\0\0\0\0\x05payload", 15);
    if (family == AF_INET6) echo[0] = static_cast<char>(128);
    EXPECT_EQ(15, send(*p, echo));
    const std::string reply = recv(*p);
    ASSERT_EQ(15u, reply.size());
    EXPECT_EQ(family == AF_INET ? 0 : 129, static_cast<uint8_t>(reply[0]));
    EXPECT_EQ("payload", reply.substr(8));
  }
}

TEST_F(UdpTest, Published) {
  auto s = open(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(0, s->bind(v4("0.0.0.0", 0)).code());
  std::string got;
  PublishedUdp out(port_of(*s), [&](std::span<const uint8_t> d) { got.assign(d.begin(), d.end()); });
  const std::string text = "in";
  out.send({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  RecvMsg m{};
  EXPECT_EQ("in", recv(*s, 10, 0, &m));
  EXPECT_EQ(3, send(*s, "out", 0, &m.name));
  EXPECT_EQ("out", got);
}

TEST_F(UdpTest, NetlinkDump) {
  auto s = open(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  for (int type : {RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE}) {
    struct {
      nlmsghdr h;
      rtgenmsg g;
    } req{};
    req.h.nlmsg_len = sizeof req;
    req.h.nlmsg_type = static_cast<uint16_t>(type);
    req.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    req.h.nlmsg_seq = 7;
    EXPECT_EQ(static_cast<int>(sizeof req), send(*s, std::string(reinterpret_cast<char*>(&req), sizeof req)));
    const std::string reply = recv(*s, 8192);
    nlmsghdr h;
    ASSERT_GE(reply.size(), sizeof h);
    std::memcpy(&h, reply.data(), sizeof h);
    EXPECT_EQ(type - 2, h.nlmsg_type);
    EXPECT_EQ(7u, h.nlmsg_seq);
    const std::string done = recv(*s, 8192);
    ASSERT_EQ(20u, done.size());
    std::memcpy(&h, done.data(), sizeof h);
    EXPECT_EQ(NLMSG_DONE, h.nlmsg_type);
  }
  EXPECT_EQ(EPROTONOSUPPORT, socket_create(AF_NETLINK, SOCK_RAW, 5).code());
}

TEST_F(UdpTest, CreationErrors) {
  EXPECT_EQ(EAFNOSUPPORT, socket_create(99, SOCK_STREAM, 0).code());
  EXPECT_EQ(EAFNOSUPPORT, socket_create(AF_BLUETOOTH, SOCK_STREAM, 0).code());
  EXPECT_EQ(EINVAL, socket_create(AF_INET, 14, 0).code());
  EXPECT_EQ(EPROTONOSUPPORT, socket_create(AF_INET, SOCK_STREAM, IPPROTO_UDP).code());
  EXPECT_EQ(ESOCKTNOSUPPORT, socket_create(AF_INET, SOCK_SEQPACKET, 0).code());
}

TEST_F(UdpTest, ProcNet) {
  auto l = open(AF_INET, SOCK_STREAM);
  EXPECT_EQ(0, l->bind(v4("127.0.0.1", 2024)).code());
  EXPECT_EQ(0, l->listen(5).code());
  auto show_file = [](std::string_view name) {
    for (const auto& e : proc_net_entries())
      if (name == e.name) return e.show();
    return std::string();
  };
  const std::string tcp = show_file("tcp");
  EXPECT_NE(std::string::npos,
            tcp.find("0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0"));
  for (const auto& e : proc_net_entries()) {
    const std::string text = e.show();
    EXPECT_TRUE(text.empty() || text.back() == '\n') << e.name;
  }
}

}  // namespace starry
