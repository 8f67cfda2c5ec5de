#include "netstack/datagram.h"

#include <linux/errqueue.h>

#include <algorithm>

#include "emulated_kernel/platform.h"
#include "netstack/lo.h"
#include "netstack/sockopt.h"

namespace starry {

namespace {
constexpr size_t PACKET_OVERHEAD = 768;  // sk_buff and its head, as Linux accounts them
constexpr size_t ERRORS_MAX = 64;

in_addr v4_bytes(const IpAddr& a) { return {htonl(a.v4())}; }
in6_addr v6_bytes(const IpAddr& a) {
  in6_addr out;
  std::memcpy(&out, a.b.data(), sizeof out);
  return out;
}
}  // namespace

Result<void> InetDatagramSocket::connect(const SockAddr& a) {
  if (a.len < sizeof(sa_family_t)) return Error{EINVAL};
  if (a.family() == AF_UNSPEC) {
    remote_set_ = false;
    remote_ = {IpAddr::any(family()), 0};
    if (!user_bound_addr_) {
      local_.ip = IpAddr::any(family());
      if (port_) port_->ip = local_.ip;
    }
    return {};
  }
  const Endpoint given = TRY(parse_destination(a));
  const Endpoint to = TRY(resolve_remote(given));
  if (to.ip.is_broadcast() && !opt.broadcast) return Error{EACCES};
  const IpAddr from = TRY(source_for(to.ip));
  TRY(bind_ephemeral());
  local_.ip = port_->ip = from;
  remote_ = to;
  remote_set_ = true;
  return {};
}

Result<void> InetDatagramSocket::shutdown(int how) {
  if (how < SHUT_RD || how > SHUT_RDWR) return Error{EINVAL};
  // Takes effect, and wakes pollers, even where it fails (inet_shutdown()).
  shutdown_ |= static_cast<uint32_t>(how + 1);
  wake_all(IN_EVENTS | OUT_EVENTS | EPOLLRDHUP | EPOLLHUP);
  if (!remote_set_) return Error{ENOTCONN};
  return {};
}

Result<Endpoint> InetDatagramSocket::parse_destination(const SockAddr& a) const {
  // A dual-stack socket also takes a sockaddr_in, an AF_INET one AF_UNSPEC for AF_INET.
  if (family() == AF_INET6 && a.len >= sizeof(sockaddr_in) && a.family() == AF_INET)
    return endpoint_from(a, AF_INET);
  if (family() == AF_INET && a.len >= sizeof(sockaddr_in) && a.family() == AF_UNSPEC) {
    auto in = a.as<sockaddr_in>();
    in.sin_family = AF_INET;
    return endpoint_from(SockAddr::from(in), AF_INET);
  }
  return endpoint_from(a, family());
}

Result<InetDatagramSocket::Route> InetDatagramSocket::route(const SendMsg& m) {
  TRY(bind_ephemeral());  // whatever becomes of it
  if (m.flags & MSG_OOB) return Error{EOPNOTSUPP};
  Route r;
  if (m.has_name) {
    r.to = TRY(parse_destination(m.name));
    if (r.to.port == 0 && protocol() == IPPROTO_UDP) return Error{EINVAL};
    r.to = TRY(resolve_remote(r.to));
  } else {
    if (!remote_set_) return Error{EDESTADDRREQ};
    r.to = remote_;
  }
  if (r.to.ip.is_broadcast() && !opt.broadcast) return Error{EACCES};
  if (const int error = take_error()) return Error{error};
  if (shutdown_ & SEND_SHUTDOWN) return Error{EPIPE};
  r.from = {TRY(source_for(r.to.ip)), local_.port};
  const bool v6 = !r.to.ip.is_v4();
  const int ttl = v6 ? ip.hops : r.to.ip.is_multicast() ? ip.mcast_ttl : ip.ttl;
  r.ttl = ttl < 0 ? DEFAULT_TTL : static_cast<uint8_t>(ttl);
  r.tos = static_cast<uint8_t>(v6 ? ip.tclass : ip.tos);
  TRY(apply_control(m, &r));
  return r;
}

Result<void> InetDatagramSocket::apply_control(const SendMsg& m, Route* r) const {
  auto set_source = [&](const IpAddr& a) -> Result<void> {
    if (a.is_any()) return {};
    if (!a.is_loopback() || a.is_v4() != r->to.ip.is_v4()) return Error{EINVAL};
    r->from.ip = a;
    return {};
  };
  for (const ControlItem& c : m.control) {
    if (c.level == IPPROTO_IP && c.type == IP_PKTINFO) {
      if (c.data.size() < sizeof(in_pktinfo)) return Error{EINVAL};
      TRY(set_source(IpAddr::v4(ntohl(opt_as<in_pktinfo>(c.data).ipi_spec_dst.s_addr))));
    } else if (c.level == IPPROTO_IPV6 && c.type == IPV6_PKTINFO) {
      if (c.data.size() < sizeof(in6_pktinfo)) return Error{EINVAL};
      IpAddr a;
      const auto info = opt_as<in6_pktinfo>(c.data);
      std::memcpy(a.b.data(), &info.ipi6_addr, a.b.size());
      TRY(set_source(a));
    } else if ((c.level == IPPROTO_IP && c.type == IP_TTL) ||
               (c.level == IPPROTO_IPV6 && c.type == IPV6_HOPLIMIT)) {
      if (c.data.size() < sizeof(int)) return Error{EINVAL};
      const int v = opt_as<int>(c.data);
      if (v < 1 || v > 255) return Error{EINVAL};
      r->ttl = static_cast<uint8_t>(v);
    } else if ((c.level == IPPROTO_IP && c.type == IP_TOS) ||
               (c.level == IPPROTO_IPV6 && c.type == IPV6_TCLASS)) {
      if (c.data.empty()) return Error{EINVAL};
      r->tos = static_cast<uint8_t>(opt_int(c.data));
    } else if (c.level == IPPROTO_IP || (c.level == IPPROTO_IPV6 && family() == AF_INET6)) {
      return Error{EINVAL};
    }
  }
  return {};
}

void InetDatagramSocket::deliver(const lwip::Datagram& d) {
  if (queued_ > static_cast<size_t>(opt.rcvbuf)) {
    drops_++;
    return;
  }
  packets_.push_back({d.from, d.to, d.ttl, d.tos, platform().realtime_ns(), {d.data.begin(), d.data.end()}});
  queued_ += d.data.size() + PACKET_OVERHEAD;
  wake(IN_EVENTS);
}

void InetDatagramSocket::undeliverable(const Endpoint& to, int error) {
  const bool queue = to.ip.is_v4() ? ip.recverr || (family() == AF_INET6 && ip.recverr6) : ip.recverr6;
  if (!queue && !remote_set_) return;
  if (queue && errors_.size() < ERRORS_MAX) errors_.push_back({to, error});
  error_ = error;
  wake_all(EPOLLERR | IN_EVENTS | OUT_EVENTS);
}

// MSG_ERRQUEUE of recv(2): the original destination as name, the error as ancillary data.
Result<size_t> InetDatagramSocket::recv_error(RecvMsg& m) {
  if (errors_.empty()) return Error{EAGAIN};
  const QueuedError e = errors_.front();
  errors_.pop_front();
  m.out_flags |= MSG_ERRQUEUE;
  m.name = sockaddr_from(e.to, family());
  const bool v4 = e.to.ip.is_v4();
  sock_extended_err ee{};
  ee.ee_errno = static_cast<uint32_t>(e.error);
  ee.ee_origin = v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6;
  ee.ee_type = v4 ? 3 : 1;
  ee.ee_code = v4 ? 3 : 4;
  OptOut data = opt_bytes(ee);
  const SockAddr offender = sockaddr_from({e.to.ip, 0}, v4 ? AF_INET : AF_INET6);
  data.insert(data.end(), offender.bytes.begin(), offender.bytes.begin() + offender.len);
  m.control.push_back({v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, std::move(data)});
  if (errors_.empty()) error_ = 0;
  return size_t{0};
}

void InetDatagramSocket::add_packet_info(RecvMsg& m, const Packet& p) const {
  add_timestamp(m, p.realtime_ns);
  if (opt.rxq_ovfl && drops_ > 0)
    m.control.push_back({SOL_SOCKET, SO_RXQ_OVFL, opt_bytes(static_cast<uint32_t>(drops_))});
  auto add = [&](int level, int type, OptOut data) { m.control.push_back({level, type, std::move(data)}); };
  if (p.to.ip.is_v4()) {
    if (ip.pktinfo)
      add(IPPROTO_IP, IP_PKTINFO, opt_bytes(in_pktinfo{LO_IFINDEX, v4_bytes(p.to.ip), v4_bytes(p.to.ip)}));
    if (ip.recvttl) add(IPPROTO_IP, IP_TTL, opt_of_int(p.ttl));
    if (ip.recvtos) add(IPPROTO_IP, IP_TOS, opt_bytes(p.tos));
  }
  if (family() != AF_INET6) return;
  if (ip.recvpktinfo6) add(IPPROTO_IPV6, IPV6_PKTINFO, opt_bytes(in6_pktinfo{v6_bytes(p.to.ip), LO_IFINDEX}));
  if (p.to.ip.is_v4()) return;
  if (ip.recvhoplimit) add(IPPROTO_IPV6, IPV6_HOPLIMIT, opt_of_int(p.ttl));
  if (ip.recvtclass) add(IPPROTO_IPV6, IPV6_TCLASS, opt_of_int(p.tos));
}

Result<size_t> InetDatagramSocket::recv(RecvMsg& m) {
  if (m.flags & MSG_ERRQUEUE) return recv_error(m);
  if (m.flags & MSG_OOB) return Error{EOPNOTSUPP};
  auto ready = [&] { return !packets_.empty() || error_ != 0 || (shutdown_ & RCV_SHUTDOWN); };
  if (packets_.empty() && error_ == 0) {
    if (dont_wait(m.flags)) return Error{EAGAIN};  // even after shutdown(2)
    TRY(wait(rcv_deadline(), ready, true));
  }
  if (const int error = take_error()) return Error{error};
  if (packets_.empty()) return size_t{0};
  Packet& front = packets_.front();
  const size_t length = front.data.size();
  const size_t copied = std::min(length, m.data->remaining());
  Result<size_t> r = copied > 0 ? m.data->copy_out(front.data.data(), copied) : Result<size_t>(size_t{0});
  if (copied < length) m.out_flags |= MSG_TRUNC;
  m.name = sockaddr_from(front.from, family());
  add_packet_info(m, front);
  if (!(m.flags & MSG_PEEK)) {
    queued_ -= length + PACKET_OVERHEAD;
    packets_.pop_front();
  }
  if (!r.ok() || r.value() < copied) return Error{EFAULT};
  return m.flags & MSG_TRUNC ? length : copied;
}

// datagram_poll()
uint32_t InetDatagramSocket::poll() {
  uint32_t mask = OUT_EVENTS;
  if (error_ != 0 || !errors_.empty()) mask |= EPOLLERR;
  if (shutdown_ & RCV_SHUTDOWN) mask |= EPOLLRDHUP | IN_EVENTS;
  if (shutdown_ == SHUTDOWN_MASK) mask |= EPOLLHUP;
  if (!packets_.empty()) mask |= IN_EVENTS;
  return mask;
}

int InetDatagramSocket::unread_bytes() {
  return packets_.empty() ? 0 : static_cast<int>(packets_.front().data.size());
}

}  // namespace starry
