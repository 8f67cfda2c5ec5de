// socket(2) and socketpair(2): which family, type and protocol make which socket.
#include <linux/capability.h>
#include <linux/netlink.h>

#include "netstack/datagram.h"
#include "netstack/netlink.h"
#include "netstack/tcp.h"
#include "netstack/unix_socket.h"

namespace starry {

namespace {

constexpr int SOCK_PACKET_NR = 10, SOCK_TYPE_LIMIT = 11;  // SOCK_MAX
constexpr int FAMILY_LIMIT = 46;                          // NPROTO

Result<Ref<Socket>> create_inet(int family, int type, int protocol) {
  if (protocol < 0 || protocol >= IPPROTO_MAX) return Error{EINVAL};
  const int ping = family == AF_INET ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6);
  switch (type) {
    case SOCK_STREAM:
      if (protocol != 0 && protocol != IPPROTO_TCP) return Error{EPROTONOSUPPORT};
      return Ref<Socket>(make_ref<TcpSocket>(family));
    case SOCK_DGRAM:
      if (protocol == ping && !caller_net()->initial)
        return Error{EACCES};  // net.ipv4.ping_group_range is "1 0"
      if (protocol == ping) return Ref<Socket>(make_ref<PingSocket>(family, protocol));
      if (protocol != 0 && protocol != IPPROTO_UDP) return Error{EPROTONOSUPPORT};
      return Ref<Socket>(make_ref<UdpSocket>(family));
    case SOCK_RAW:
      if (protocol == 0) return Error{EPROTONOSUPPORT};
      return Error{net_capable(CAP_NET_RAW, *caller_net()) ? EPROTONOSUPPORT : EPERM};
    default:
      return Error{ESOCKTNOSUPPORT};
  }
}

Result<int> unix_type(int type, int protocol) {
  if (protocol != 0 && protocol != PF_UNIX) return Error{EPROTONOSUPPORT};
  if (type == SOCK_RAW) return int{SOCK_DGRAM};  // believed to be what BSD did
  if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET) return Error{ESOCKTNOSUPPORT};
  return type;
}

Result<void> check_family_and_type(int family, int type) {
  if (family < 0 || family >= FAMILY_LIMIT) return Error{EAFNOSUPPORT};
  if (type < 0 || type >= SOCK_TYPE_LIMIT) return Error{EINVAL};
  return {};
}

}  // namespace

Result<Ref<Socket>> socket_create(int family, int type, int protocol) {
  TRY(check_family_and_type(family, type));
  if (family == AF_INET && type == SOCK_PACKET_NR) family = AF_PACKET;
  switch (family) {
    case AF_INET:
    case AF_INET6:
      return create_inet(family, type, protocol);
    case AF_UNIX: {
      const int kind = TRY(unix_type(type, protocol));
      return Ref<Socket>(make_ref<UnixSocket>(kind, protocol));
    }
    case AF_NETLINK:
      if (type != SOCK_RAW && type != SOCK_DGRAM) return Error{ESOCKTNOSUPPORT};
      if (protocol != NETLINK_ROUTE && protocol != NETLINK_SOCK_DIAG) return Error{EPROTONOSUPPORT};
      return Ref<Socket>(make_ref<NetlinkSocket>(type, protocol));
    case AF_PACKET:
      return Error{net_capable(CAP_NET_RAW, *caller_net()) ? EAFNOSUPPORT : EPERM};
    default:
      return Error{EAFNOSUPPORT};
  }
}

Result<std::pair<Ref<Socket>, Ref<Socket>>> socketpair_create(int family, int type, int protocol) {
  TRY(check_family_and_type(family, type));
  if (family != AF_UNIX) {
    TRY(socket_create(family, type, protocol));
    return Error{EOPNOTSUPP};
  }
  const int kind = TRY(unix_type(type, protocol));
  auto a = make_ref<UnixSocket>(kind, protocol), b = make_ref<UnixSocket>(kind, protocol);
  UnixSocket::pair_up(*a, *b);
  return std::pair<Ref<Socket>, Ref<Socket>>(a, b);
}

}  // namespace starry
