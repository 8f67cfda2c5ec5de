// Multicast groups of sockets, all of them on lo (igmp(7) is about who tells the neighbours; lo has none).
#include <netinet/in.h>

#include <algorithm>

#include "netstack/datagram.h"
#include "netstack/lo.h"
#include "netstack/sockopt.h"

namespace starry {

namespace {

constexpr size_t MEMBERSHIPS_MAX = 20;  // net.ipv4.igmp_max_memberships

IpAddr v6_group(const in6_addr& a) {
  IpAddr out;
  std::memcpy(out.b.data(), &a, out.b.size());
  return out;
}

bool anybody_in(const IpAddr& group) {
  bool found = false;
  for_each_socket([&](const Socket& s) {
    const auto* inet = dynamic_cast<const InetSocket*>(&s);
    found = found || (inet != nullptr && inet->in_group(group));
  });
  return found;
}

}  // namespace

bool InetSocket::in_group(const IpAddr& group) const {
  return std::find(groups_.begin(), groups_.end(), group) != groups_.end();
}

Result<void> InetSocket::leave_group(const IpAddr& group) {
  if (std::erase(groups_, group) == 0) return Error{EADDRNOTAVAIL};
  return {};
}

// `index` and `address`: of the interface; 0 means the one that the route to the group leads to. 224.0.0.0/4
// leads to lo, as it leads to the network on a machine that has one.
Result<void> InetSocket::change_ip_group(bool join, uint32_t group, int index, uint32_t address) {
  const bool by_address = address == INADDR_ANY || IpAddr::v4(address).is_loopback();
  const bool is_lo = index != 0 ? index == LO_IFINDEX : by_address;
  if (!join) return is_lo ? leave_group(IpAddr::v4(group)) : Result<void>(Error{EADDRNOTAVAIL});
  if (!IN_MULTICAST(group)) return Error{EINVAL};
  if (!is_lo) return Error{ENODEV};
  if (in_group(IpAddr::v4(group))) return Error{EADDRINUSE};
  if (groups_.size() >= MEMBERSHIPS_MAX) return Error{ENOBUFS};
  groups_.push_back(IpAddr::v4(group));
  return {};
}

Result<void> InetSocket::change_ipv6_group(bool join, const in6_addr& group, int index) {
  const IpAddr g = v6_group(group);
  if (!g.is_multicast() || g.is_v4()) return Error{EINVAL};
  if (!join) return index == 0 || index == LO_IFINDEX ? leave_group(g) : Result<void>(Error{EADDRNOTAVAIL});
  if (in_group(g)) return Error{EADDRINUSE};
  if (index != LO_IFINDEX) return Error{ENODEV};
  groups_.push_back(g);
  return {};
}

// IP_ADD_MEMBERSHIP and IP_DROP_MEMBERSHIP with a struct ip_mreq or ip_mreqn, MCAST_JOIN_GROUP and
// MCAST_LEAVE_GROUP.
Result<void> InetSocket::set_ip_membership(int name, OptIn value) {
  if (name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP) {
    if (value.size() < sizeof(group_req)) return Error{EINVAL};
    const auto r = opt_as<group_req>(value);
    if (r.gr_group.ss_family != AF_INET) return Error{EINVAL};
    sockaddr_in group;
    std::memcpy(&group, &r.gr_group, sizeof group);
    return change_ip_group(name == MCAST_JOIN_GROUP, ntohl(group.sin_addr.s_addr),
                           static_cast<int>(r.gr_interface), INADDR_ANY);
  }
  if (type() == SOCK_STREAM) return Error{EPROTO};
  if (value.size() < sizeof(ip_mreq)) return Error{EINVAL};
  const auto r = opt_as<ip_mreqn>(value);  // begins like struct ip_mreq
  const int index = value.size() >= sizeof(ip_mreqn) ? r.imr_ifindex : 0;
  return change_ip_group(name == IP_ADD_MEMBERSHIP, ntohl(r.imr_multiaddr.s_addr), index,
                         ntohl(r.imr_address.s_addr));
}

Result<void> InetSocket::set_ipv6_membership(int name, OptIn value) {
  if (name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP) {
    if (value.size() < sizeof(group_req)) return Error{EINVAL};
    const auto r = opt_as<group_req>(value);
    if (r.gr_group.ss_family != AF_INET6) return Error{EADDRNOTAVAIL};
    sockaddr_in6 group;
    std::memcpy(&group, &r.gr_group, sizeof group);
    return change_ipv6_group(name == MCAST_JOIN_GROUP, group.sin6_addr, static_cast<int>(r.gr_interface));
  }
  if (type() == SOCK_STREAM) return Error{EPROTO};
  if (value.size() < sizeof(ipv6_mreq)) return Error{EINVAL};
  const auto r = opt_as<ipv6_mreq>(value);
  return change_ipv6_group(name == IPV6_JOIN_GROUP, r.ipv6mr_multiaddr, static_cast<int>(r.ipv6mr_interface));
}

// __udp4_lib_mcast_deliver(): to all sockets on the port that have joined the group, and with
// IP_MULTICAST_ALL to the others as well once anybody has.
void UdpSocket::deliver_to_group(const lwip::Datagram& d) {
  lwip::count_lo_bytes(d.data.size() + 28);  // with the IP and UDP headers
  if (!anybody_in(d.to.ip)) return;
  for (UdpSocket* s : on_port(d.to.port))
    if (s->accepts(d.to, d.from) && (s->ip.mcast_all || s->in_group(d.to.ip))) s->deliver(d);
}

}  // namespace starry
