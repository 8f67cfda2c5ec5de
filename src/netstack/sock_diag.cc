// sock_diag(7): what ss(8) asks for.
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>

#include "netstack/datagram.h"
#include "netstack/netlink.h"
#include "netstack/netlink_message.h"
#include "netstack/sock_list.h"
#include "netstack/sockopt.h"
#include "netstack/tcp.h"
#include "netstack/unix_socket.h"

namespace starry {

namespace {

constexpr size_t REPLY_MAX = 16384;  // a reply is split into datagrams of about this size

// Collects messages into datagrams.
class Dump {
 public:
  explicit Dump(NetlinkReplies& r) : r_(r) {}
  void add(NetlinkMessage& m) {
    m.finish(&bytes_);
    if (bytes_.size() >= REPLY_MAX) flush();
  }
  void end() {
    flush();
    netlink_done(r_);
  }

 private:
  void flush() {
    if (!bytes_.empty()) r_.out.push_back(std::move(bytes_));
    bytes_.clear();
  }
  NetlinkReplies& r_;
  std::vector<uint8_t> bytes_;
};

void put_address(const Endpoint& e, int family, __be32* words, __be16* port) {
  *port = htons(e.port);
  if (family == AF_INET)
    std::memcpy(words, &e.ip.b[12], 4);
  else
    std::memcpy(words, e.ip.b.data(), 16);
}

inet_diag_msg inet_message(int family, const TcpEntry& e) {
  inet_diag_msg msg{};
  msg.idiag_family = static_cast<uint8_t>(family);
  msg.idiag_state = static_cast<uint8_t>(e.state);
  put_address(e.local, family, msg.id.idiag_src, &msg.id.idiag_sport);
  put_address(e.remote, family, msg.id.idiag_dst, &msg.id.idiag_dport);
  msg.id.idiag_cookie[0] = static_cast<uint32_t>(e.ino);
  if (e.state == TcpState::time_wait) {
    msg.idiag_timer = 3;
    msg.idiag_expires = static_cast<uint32_t>(e.timer_left_ns / 1000000);
  }
  msg.idiag_rqueue = static_cast<uint32_t>(e.rx);
  msg.idiag_wqueue =
      static_cast<uint32_t>(e.state == TcpState::listen ? static_cast<size_t>(e.backlog) : e.tx);
  msg.idiag_uid = caller_sees_uid(e.uid);
  msg.idiag_inode = static_cast<uint32_t>(e.ino);
  return msg;
}

std::vector<TcpEntry> list_udp(const NetNamespace& net, int family) {
  std::vector<TcpEntry> out;
  for_each_socket(net, [&](Socket& s) {
    auto* udp = dynamic_cast<UdpSocket*>(&s);
    if (udp == nullptr || s.family() != family || udp->port_number() == 0) return;
    out.push_back({udp->local(), udp->remote(), udp->connected() ? TcpState::established : TcpState::close, 0,
                   udp->queued_bytes(), s.owner().euid, s.ino(), 0, 0, udp->ip.v6only});
  });
  return out;
}

void dump_inet(const inet_diag_req_v2& req, NetlinkReplies& r) {
  const int family = req.sdiag_family;
  std::vector<TcpEntry> entries;
  if (req.sdiag_protocol == IPPROTO_TCP) entries = list_tcp(r.net, family);
  if (req.sdiag_protocol == IPPROTO_UDP) entries = list_udp(r.net, family);
  Dump dump(r);
  for (const TcpEntry& e : entries) {
    if (!(req.idiag_states & (1u << static_cast<int>(e.state)))) continue;
    if (req.id.idiag_sport != 0 && req.id.idiag_sport != htons(e.local.port)) continue;
    if (req.id.idiag_dport != 0 && req.id.idiag_dport != htons(e.remote.port)) continue;
    NetlinkMessage m(SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, r, inet_message(family, e));
    m.attr(INET_DIAG_SHUTDOWN, uint8_t{0});
    const bool open_end = e.state == TcpState::listen || e.state == TcpState::close;
    if (family == AF_INET6 && open_end) m.attr(INET_DIAG_SKV6ONLY, static_cast<uint8_t>(e.v6only));
    dump.add(m);
  }
  dump.end();
}

TcpState unix_state(const UnixSocket& u) {
  switch (u.state()) {
    case UnixSocket::State::listening:
      return TcpState::listen;
    case UnixSocket::State::connected:
      return TcpState::established;
    default:
      return TcpState::close;
  }
}

NetlinkMessage unix_message(UnixSocket& u, uint32_t show, uint16_t flags, const NetlinkReplies& r) {
  const TcpState state = unix_state(u);
  unix_diag_msg msg{};
  msg.udiag_family = AF_UNIX;
  msg.udiag_type = static_cast<uint8_t>(u.type());
  msg.udiag_state = static_cast<uint8_t>(state);
  msg.udiag_ino = static_cast<uint32_t>(u.ino());
  msg.udiag_cookie[0] = static_cast<uint32_t>(u.ino());
  msg.udiag_cookie[1] = static_cast<uint32_t>(u.ino() >> 32);
  NetlinkMessage m(SOCK_DIAG_BY_FAMILY, flags, r, msg);
  constexpr size_t PATH_OFFSET = offsetof(sockaddr_un, sun_path);
  if (const SockAddr& name = u.name(); (show & UDIAG_SHOW_NAME) && name.len > PATH_OFFSET) {
    const bool abstract = name.bytes[PATH_OFFSET] == 0;  // path names come without their NUL
    m.attr(UNIX_DIAG_NAME, &name.bytes[PATH_OFFSET], name.len - PATH_OFFSET - (abstract ? 0 : 1));
  }
  if ((show & UDIAG_SHOW_PEER) && u.peer() != nullptr)
    m.attr(UNIX_DIAG_PEER, static_cast<uint32_t>(u.peer()->ino()));
  if (show & UDIAG_SHOW_RQLEN) {
    unix_diag_rqlen lengths{};
    lengths.udiag_rqueue = static_cast<uint32_t>(
        state == TcpState::listen ? u.pending() : static_cast<size_t>(u.unread_bytes()));
    lengths.udiag_wqueue = static_cast<uint32_t>(state == TcpState::listen ? u.backlog() : u.unsent_bytes());
    m.attr(UNIX_DIAG_RQLEN, lengths);
  }
  m.attr(UNIX_DIAG_SHUTDOWN, uint8_t{0});
  if (show & UDIAG_SHOW_UID) m.attr(UNIX_DIAG_UID, caller_sees_uid(u.owner().euid));
  return m;
}

void dump_unix(const unix_diag_req& req, NetlinkReplies& r) {
  Dump dump(r);
  for_each_socket(r.net, [&](Socket& s) {
    auto* u = dynamic_cast<UnixSocket*>(&s);
    if (u == nullptr || !(req.udiag_states & (1u << static_cast<int>(unix_state(*u))))) return;
    NetlinkMessage m = unix_message(*u, req.udiag_show, NLM_F_MULTI, r);
    dump.add(m);
  });
  dump.end();
}

}  // namespace

int sock_diag_dump(std::span<const uint8_t> payload, NetlinkReplies& r) {
  if (payload.size() < sizeof(sock_diag_req)) return EINVAL;
  switch (payload[0]) {
    case AF_INET:
    case AF_INET6:
      if (payload.size() < sizeof(inet_diag_req_v2)) return EINVAL;
      dump_inet(opt_as<inet_diag_req_v2>(payload), r);
      return 0;
    case AF_UNIX:
      if (payload.size() < sizeof(unix_diag_req)) return EINVAL;
      dump_unix(opt_as<unix_diag_req>(payload), r);
      return 0;
    default:
      return ENOENT;
  }
}

int sock_diag_get(std::span<const uint8_t> payload, NetlinkReplies& r) {
  if (payload.size() < sizeof(sock_diag_req)) return EINVAL;
  if (payload[0] != AF_UNIX) return ENOENT;
  if (payload.size() < sizeof(unix_diag_req)) return EINVAL;
  const auto req = opt_as<unix_diag_req>(payload);
  if (req.udiag_ino == 0) return EINVAL;
  UnixSocket* found = nullptr;
  for_each_socket(r.net, [&](Socket& s) {
    auto* u = dynamic_cast<UnixSocket*>(&s);
    if (u != nullptr && static_cast<uint32_t>(u->ino()) == req.udiag_ino) found = u;
  });
  if (found == nullptr) return ENOENT;
  constexpr uint32_t NO_COOKIE = ~0U;    // INET_DIAG_NOCOOKIE
  const uint64_t cookie = found->ino();  // SO_COOKIE
  const auto [low, high] = req.udiag_cookie;
  if ((low != NO_COOKIE || high != NO_COOKIE) &&
      (low != static_cast<uint32_t>(cookie) || high != static_cast<uint32_t>(cookie >> 32)))
    return ESTALE;
  std::vector<uint8_t> bytes;
  unix_message(*found, req.udiag_show, 0, r).finish(&bytes);
  r.out.push_back(std::move(bytes));
  return 0;
}

}  // namespace starry
