// Options of levels IPPROTO_IP and IPPROTO_IPV6 (ip(7), ipv6(7)).
#include <linux/capability.h>
#include <linux/in6.h>
#include <netinet/in.h>

#include "netstack/inet_socket.h"
#include "netstack/lo.h"
#include "netstack/sockopt.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

namespace starry {

bool InetSocket::has_level(int level) const {
  switch (level) {
    case IPPROTO_IP:
      return true;
    case IPPROTO_IPV6:
      return family() == AF_INET6;
    case IPPROTO_TCP:
    case IPPROTO_UDP:
      return protocol() == level;
    default:
      return false;
  }
}

Result<void> InetSocket::set_option(int level, int name, OptIn value) {
  if (level == SOL_SOCKET) return set_socket_option(name, value);
  if (!has_level(level)) return Error{ENOPROTOOPT};
  TRY(check_sockopt_set(level, name, value.size()));
  switch (level) {
    case IPPROTO_IP:
      return set_ip_option(name, value);
    case IPPROTO_IPV6:
      return set_ipv6_option(name, value);
    default:
      return set_protocol_option(name, value);
  }
}

Result<OptOut> InetSocket::get_option(int level, int name, size_t max) {
  if (level == SOL_SOCKET) return get_socket_option(name, max);
  if (!has_level(level)) return Error{family() == AF_INET ? EOPNOTSUPP : ENOPROTOOPT};
  TRY(check_sockopt_get(level, name));
  switch (level) {
    case IPPROTO_IP:
      return get_ip_option(name, max);
    case IPPROTO_IPV6:
      return get_ipv6_option(name, max);
    default:
      return get_protocol_option(name, max);
  }
}

Result<void> InetSocket::set_ip_option(int name, OptIn value) {
  if (value.empty()) return Error{EINVAL};
  const int v = opt_int(value);
  const bool on = v != 0;
  switch (name) {
    case IP_TOS:
      // TCP keeps the two ECN bits for itself.
      ip.tos = protocol() == IPPROTO_TCP ? (v & 0xfc) | (ip.tos & 3) : v & 0xff;
      return {};
    case IP_TTL:
      if (v != -1 && !in_range(v, 1, 255)) return Error{EINVAL};
      ip.ttl = v;
      return {};
    case IP_RECVERR:
      ip.recverr = on;
      return {};
    case IP_PKTINFO:
      ip.pktinfo = on;
      return {};
    case IP_RECVTTL:
      ip.recvttl = on;
      return {};
    case IP_RECVTOS:
      ip.recvtos = on;
      return {};
    case IP_MTU_DISCOVER:
      if (!in_range(v, IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT)) return Error{EINVAL};
      ip.mtu_discover = v;
      return {};
    case IP_FREEBIND:
      ip.freebind = on;
      return {};
    case IP_TRANSPARENT:
      if (on && !capable(CAP_NET_ADMIN) && !capable(CAP_NET_RAW)) return Error{EPERM};
      ip.transparent = on;
      return {};
    case IP_BIND_ADDRESS_NO_PORT:
      ip.bind_no_port = on;
      return {};
    case IP_MINTTL:
      if (!in_range(v, 0, 255)) return Error{EINVAL};
      ip.min_ttl = v;
      return {};
    case IP_MULTICAST_TTL:
      if (type() == SOCK_STREAM || !in_range(v, -1, 255)) return Error{EINVAL};
      ip.mcast_ttl = v == -1 ? 1 : v;
      return {};
    case IP_MULTICAST_LOOP:
      ip.mcast_loop = on;
      return {};
    case IP_MULTICAST_ALL:
      if (v != 0 && v != 1) return Error{EINVAL};
      ip.mcast_all = on;
      return {};
    case IP_MULTICAST_IF: {
      if (type() == SOCK_STREAM || value.size() < sizeof(in_addr)) return Error{EINVAL};
      // in_addr, ip_mreq (interface second) or ip_mreqn (index last).
      const auto mreq = opt_as<ip_mreqn>(value);
      const in_addr_t wanted =
          ntohl(value.size() >= sizeof(ip_mreq) ? mreq.imr_address.s_addr : mreq.imr_multiaddr.s_addr);
      const int index = value.size() >= sizeof(ip_mreqn) ? mreq.imr_ifindex : 0;
      if (index > LO_IFINDEX || index < 0) return Error{EADDRNOTAVAIL};
      if (index == 0 && wanted != INADDR_ANY && !IpAddr::v4(wanted).is_loopback())
        return Error{EADDRNOTAVAIL};
      ip.mcast_addr = wanted;
      return {};
    }
    case IP_ADD_MEMBERSHIP:
    case IP_DROP_MEMBERSHIP:
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP:
      return set_ip_membership(name, value);
    default:  // IP_HDRINCL
      return Error{ENOPROTOOPT};
  }
}

Result<OptOut> InetSocket::get_ip_option(int name, size_t max) {
  auto as_int = [&](int v) { return opt_ip_int(v, max); };
  switch (name) {
    case IP_TOS:
      return as_int(ip.tos);
    case IP_TTL:
      return as_int(ip.ttl == -1 ? int{DEFAULT_TTL} : ip.ttl);
    case IP_RECVERR:
      return as_int(ip.recverr);
    case IP_PKTINFO:
      return as_int(ip.pktinfo);
    case IP_RECVTTL:
      return as_int(ip.recvttl);
    case IP_RECVTOS:
      return as_int(ip.recvtos);
    case IP_MTU_DISCOVER:
      return as_int(ip.mtu_discover);
    case IP_MTU:
      if (!connected()) return Error{ENOTCONN};
      return as_int(LO_MTU - 1);
    case IP_FREEBIND:
      return as_int(ip.freebind);
    case IP_TRANSPARENT:
      return as_int(ip.transparent);
    case IP_BIND_ADDRESS_NO_PORT:
      return as_int(ip.bind_no_port);
    case IP_MINTTL:
      return as_int(ip.min_ttl);
    case IP_MULTICAST_TTL:
      return as_int(ip.mcast_ttl);
    case IP_MULTICAST_LOOP:
      return as_int(ip.mcast_loop);
    case IP_MULTICAST_ALL:
      return as_int(ip.mcast_all);
    case IP_MULTICAST_IF:
      return opt_bytes(in_addr{htonl(ip.mcast_addr)});
    default:
      return Error{ENOPROTOOPT};
  }
}

Result<void> InetSocket::set_ipv6_option(int name, OptIn value) {
  if (value.size() < sizeof(int)) return Error{EINVAL};
  const int v = opt_int(value);
  const bool on = v != 0;
  switch (name) {
    case IPV6_V6ONLY:
      if (local_.port != 0) return Error{EINVAL};
      ip.v6only = on;
      return {};
    case IPV6_ADDRFORM:
      if (v != AF_INET) return Error{EINVAL};
      if (protocol() != IPPROTO_TCP && protocol() != IPPROTO_UDP) return Error{ENOPROTOOPT};
      if (!established()) return Error{ENOTCONN};
      if (ip.v6only || !remote_.ip.is_v4()) return Error{EADDRNOTAVAIL};
      become_ipv4();
      return {};
    case IPV6_UNICAST_HOPS:
      if (!in_range(v, -1, 255)) return Error{EINVAL};
      ip.hops = v;
      return {};
    case IPV6_MULTICAST_HOPS:
      if (type() == SOCK_STREAM) return Error{ENOPROTOOPT};
      if (!in_range(v, -1, 255)) return Error{EINVAL};
      ip.mcast_hops = v == -1 ? 1 : v;
      return {};
    case IPV6_MULTICAST_LOOP:
      if (v != 0 && v != 1) return Error{EINVAL};
      ip.mcast_loop6 = on;
      return {};
    case IPV6_MULTICAST_IF:
      if (type() == SOCK_STREAM) return Error{ENOPROTOOPT};
      if (v != 0 && v != LO_IFINDEX) return Error{ENODEV};
      ip.mcast_if6 = v;
      return {};
    case IPV6_MULTICAST_ALL:
      ip.mcast_all6 = on;
      return {};
    case IPV6_JOIN_GROUP:
    case IPV6_LEAVE_GROUP:
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP:
      return set_ipv6_membership(name, value);
    case IPV6_MTU_DISCOVER:
      if (!in_range(v, IPV6_PMTUDISC_DONT, IPV6_PMTUDISC_OMIT)) return Error{EINVAL};
      ip.mtu_discover6 = v;
      return {};
    case IPV6_RECVERR:
      ip.recverr6 = on;
      return {};
    case IPV6_RECVPKTINFO:
      ip.recvpktinfo6 = on;
      return {};
    case IPV6_RECVHOPLIMIT:
      ip.recvhoplimit = on;
      return {};
    case IPV6_RECVTCLASS:
      ip.recvtclass = on;
      return {};
    case IPV6_TCLASS:
      if (!in_range(v, -1, 255)) return Error{EINVAL};
      ip.tclass = v == -1 ? 0 : v;
      return {};
    case IPV6_FREEBIND:
      ip.freebind = on;
      return {};
    default:
      return Error{ENOPROTOOPT};
  }
}

Result<OptOut> InetSocket::get_ipv6_option(int name, size_t /*max*/) {
  switch (name) {
    case IPV6_V6ONLY:
      return opt_of_int(ip.v6only);
    case IPV6_ADDRFORM:
      if (!established()) return Error{ENOTCONN};
      return opt_of_int(family());
    case IPV6_UNICAST_HOPS:
      return opt_of_int(ip.hops == -1 ? int{DEFAULT_TTL} : ip.hops);
    case IPV6_MULTICAST_HOPS:
      return opt_of_int(ip.mcast_hops);
    case IPV6_MULTICAST_LOOP:
      return opt_of_int(ip.mcast_loop6);
    case IPV6_MULTICAST_IF:
      return opt_of_int(ip.mcast_if6);
    case IPV6_MULTICAST_ALL:
      return opt_of_int(ip.mcast_all6);
    case IPV6_MTU_DISCOVER:
      return opt_of_int(ip.mtu_discover6);
    case IPV6_MTU:
      if (!connected()) return Error{ENOTCONN};
      return opt_of_int(LO_MTU);
    case IPV6_RECVERR:
      return opt_of_int(ip.recverr6);
    case IPV6_RECVPKTINFO:
      return opt_of_int(ip.recvpktinfo6);
    case IPV6_RECVHOPLIMIT:
      return opt_of_int(ip.recvhoplimit);
    case IPV6_RECVTCLASS:
      return opt_of_int(ip.recvtclass);
    case IPV6_TCLASS:
      return opt_of_int(ip.tclass);
    case IPV6_FREEBIND:
      return opt_of_int(ip.freebind);
    default:
      return Error{ENOPROTOOPT};
  }
}

}  // namespace starry
