#include <algorithm>
#include <unordered_map>

#include "netstack/datagram.h"
#include "netstack/sockopt.h"

namespace starry {

namespace {

constexpr size_t UDP_MAX_V4 = 65507;  // 65535 less the IP and UDP headers
constexpr size_t UDP_MAX_V6 = 65487;  // lwIP counts a packet's bytes in 16 bits
constexpr int UDP_CORK_NR = 1;

std::unordered_map<uint16_t, std::vector<UdpSocket*>>& sockets() {
  static std::unordered_map<uint16_t, std::vector<UdpSocket*>> map;
  return map;
}

// compute_score() of Linux: -1 does not match; connected beats unconnected, exact address beats any,
// AF_INET beats AF_INET6 for IPv4.
int score(const UdpSocket& s, const Endpoint& to, const Endpoint& from) {
  if (!s.accepts(to, from)) return -1;
  int n = to.ip.is_v4() && s.family() == AF_INET ? 2 : 1;
  if (!s.local().ip.is_any()) n += 8;
  if (s.connected()) n += 4;
  return n;
}

}  // namespace

bool UdpSocket::accepts(const Endpoint& to, const Endpoint& from) const {
  return address_accepts(local_.ip, ip.v6only, to.ip) && (!connected() || remote_ == from);
}

const std::vector<UdpSocket*>& UdpSocket::on_port(uint16_t port) { return sockets()[port]; }

UdpSocket* UdpSocket::find(const Endpoint& to, const Endpoint& from) {
  const auto it = sockets().find(to.port);
  if (it == sockets().end()) return nullptr;
  int best = -1;
  std::vector<UdpSocket*> group;  // equals: SO_REUSEPORT, or the last one bound
  for (UdpSocket* s : it->second) {
    const int n = score(*s, to, from);
    if (n < 0 || n < best) continue;
    if (n > best) group.clear();
    best = n;
    group.push_back(s);
  }
  if (group.empty()) return nullptr;
  if (!group.back()->opt.reuseport) return group.back();
  return group[EndpointPairHash{}({to, from}) % group.size()];
}

UdpSocket::UdpSocket(int family) : InetDatagramSocket(family, IPPROTO_UDP, caller_net()->udp_ports()) {}

UdpSocket::~UdpSocket() {
  if (registered_port_ != 0) std::erase(sockets()[registered_port_], this);
}

Result<void> UdpSocket::after_bind() {
  if (!net().initial) return {};  // nobody can send
  TRY(lwip_port_.open(local_.port));
  registered_port_ = local_.port;
  sockets()[registered_port_].push_back(this);
  return {};
}

Result<void> UdpSocket::transmit(const Route& r, std::span<const uint8_t> data) {
  if (data.size() > (r.to.ip.is_v4() ? UDP_MAX_V4 : UDP_MAX_V6)) return Error{EMSGSIZE};
  if (r.to.ip.is_multicast()) {
    deliver_to_group({r.from, r.to, r.ttl, r.tos, data});
    return {};
  }
  return lwip::send_datagram({r.from, r.to, r.ttl, r.tos, data});
}

Result<size_t> UdpSocket::send(SendMsg& m) {
  const size_t n = m.data->remaining();
  if (n > 0xffff) return Error{EMSGSIZE};
  Route r;
  if (corked_route_)
    r = *corked_route_;
  else
    r = TRY(route(m));
  const size_t before = corked_.size();
  corked_.resize(before + n);
  if (n > 0) {
    auto got = m.data->copy_in(&corked_[before], n);
    if (!got.ok() || got.value() < n) {
      corked_.resize(before);
      return Error{EFAULT};
    }
  }
  if (cork_ || (m.flags & MSG_MORE)) {
    if (corked_.size() > UDP_MAX_V4) {
      corked_.resize(before);
      return Error{EMSGSIZE};
    }
    corked_route_ = r;
    return n;
  }
  corked_route_.reset();
  const std::vector<uint8_t> data = std::move(corked_);
  corked_.clear();
  TRY(transmit(r, data));
  return n;
}

Result<void> UdpSocket::set_protocol_option(int name, OptIn value) {
  if (name != UDP_CORK_NR) return Error{ENOPROTOOPT};
  cork_ = opt_int(value) != 0;
  if (cork_ || !corked_route_) return {};
  const Route r = *corked_route_;
  corked_route_.reset();
  const std::vector<uint8_t> data = std::move(corked_);
  corked_.clear();
  return transmit(r, data);
}

Result<OptOut> UdpSocket::get_protocol_option(int name, size_t /*max*/) {
  if (name != UDP_CORK_NR) return Error{ENOPROTOOPT};
  return opt_of_int(cork_);
}

}  // namespace starry
