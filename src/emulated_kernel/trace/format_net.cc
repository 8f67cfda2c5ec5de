// Sockets: addresses, options, types.
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/trace/printer.h"

namespace starry::trace {
namespace {

// The bytes of a value in network order.
template <class T>
std::string_view bytes_of(const T& v) {
  return {reinterpret_cast<const char*>(&v), sizeof v};
}

void print_port(Printer& p, in_port_t port) {
  p.either([&] { p.quoted(bytes_of(port), true); }, [&] { p.print("htons({})", ntohs(port)); });
}

void print_inet_addr(Printer& p, const in_addr& a) {
  char text[INET_ADDRSTRLEN];
  p.either([&] { p.quoted(bytes_of(a), true); },
           [&] {
             p.put("inet_addr(");
             p.quoted(inet_ntop(AF_INET, &a, text, sizeof text));
             p.put(")");
           });
}

void print_inet6(Printer& p, const in6_addr& a, const char* field) {
  char text[INET6_ADDRSTRLEN];
  const bool named = p.names == XlatStyle::ABBREV;
  if (!named) p.print("{}=", field);
  p.either([&] { p.quoted(bytes_of(a), true); },
           [&] {
             p.put("inet_pton(AF_INET6, ");
             p.quoted(inet_ntop(AF_INET6, &a, text, sizeof text));
             if (named) p.print(", &{}", field);
             p.put(")");
           });
}

void print_unix(Printer& p, const char* path, size_t len) {
  if (len == 0) return;
  if (path[0] == '\0' && len > 1) {
    p.put(", sun_path=@");
    p.quoted({path + 1, len - 1});
  } else {
    p.put(", sun_path=");
    p.quoted({path, strnlen(path, len)});
  }
}

void print_in6(Printer& p, const sockaddr_in6& a) {
  constexpr uint32_t LOOPBACK_INDEX = 1;
  p.put(", sin6_port=");
  print_port(p, a.sin6_port);
  p.put(", sin6_flowinfo=");
  p.either([&] { p.quoted(bytes_of(a.sin6_flowinfo), true); },
           [&] { p.print("htonl({})", ntohl(a.sin6_flowinfo)); });
  p.put(", ");
  print_inet6(p, a.sin6_addr, "sin6_addr");
  const bool scoped = IN6_IS_ADDR_LINKLOCAL(&a.sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&a.sin6_addr);
  p.put(", sin6_scope_id=");
  if (scoped && a.sin6_scope_id == LOOPBACK_INDEX)
    p.either([&] { p.print("{}", a.sin6_scope_id); },
             [&] {
               p.put("if_nametoindex(");
               p.quoted("lo");
               p.put(")");
             });
  else
    p.print("{}", a.sin6_scope_id);
}

// Loads a T out of the first bytes of an address, zero-filled.
template <class T>
T address_as(const void* data, size_t len) {
  T a{};
  std::memcpy(&a, data, std::min(len, sizeof a));
  return a;
}

}  // namespace

void print_sockaddr_bytes(Printer& p, const void* data, size_t len) {
  auto* raw = static_cast<const char*>(data);
  uint16_t family = 0;
  std::memcpy(&family, raw, sizeof family);
  p.put("{sa_family=");
  p.name(FlagFamily::socket_domain, family);
  if (family == AF_UNIX) {
    print_unix(p, raw + sizeof family, std::min(len, sizeof(sockaddr_un)) - sizeof family);
  } else if (family == AF_INET && len >= sizeof(sockaddr_in)) {
    auto a = address_as<sockaddr_in>(data, len);
    p.put(", sin_port=");
    print_port(p, a.sin_port);
    p.put(", sin_addr=");
    print_inet_addr(p, a.sin_addr);
  } else if (family == AF_INET6 && len >= sizeof(sockaddr_in6)) {
    print_in6(p, address_as<sockaddr_in6>(data, len));
  } else if (family == AF_NETLINK && len >= sizeof(sockaddr_nl)) {
    auto a = address_as<sockaddr_nl>(data, len);
    p.print(", nl_pid={}, nl_groups=", a.nl_pid);
    if (a.nl_groups == 0)
      p.put("00000000");
    else
      p.print("{:#08x}", a.nl_groups);
  } else if (len > sizeof family) {
    p.put(", sa_data=");
    p.quoted({raw + sizeof family, len - sizeof family});
  }
  p.put("}");
}

void print_sockaddr(Printer& p, uint64_t addr, uint64_t len) {
  char data[sizeof(sockaddr_storage)];
  len = std::min<uint64_t>(len, sizeof data);
  if (addr == 0 || len < sizeof(uint16_t) || !p.mem.read(addr, data, len))
    p.address(addr);
  else
    print_sockaddr_bytes(p, data, static_cast<size_t>(len));
}

void format_SOCKADDR(Printer& p) {
  auto len = static_cast<int32_t>(p.arg(p.spec.args[p.index].spec.len_arg));
  print_sockaddr(p, p.value(), len < 0 ? 0 : static_cast<uint64_t>(len));
}

void format_SOCKADDR_P(Printer& p) {
  const int length_arg = p.index + 1;
  int32_t len = 0;
  if (p.failed() || !p.mem.read(p.arg(length_arg), &len, sizeof len) || len < 0) {
    p.address(p.value());
    return;
  }
  auto room = static_cast<int32_t>(p.state.entry_value[length_arg]);
  print_sockaddr(p, p.value(), static_cast<uint64_t>(std::max(0, std::min(len, room))));
}

void format_SOCKLEN(Printer& p) {
  const bool had = p.state.entry_valid[p.index];
  auto before = static_cast<int32_t>(p.state.entry_value[p.index]);
  int32_t after = before;
  if (!had) {
    p.address(p.value());
    return;
  }
  if (!p.failed()) p.mem.read(p.value(), &after, sizeof after);
  if (after != before)
    p.print("[{} => {}]", before, after);
  else
    p.print("[{}]", before);
}

void format_SOCKET_TYPE(Printer& p) {
  constexpr uint64_t TYPE = 0xf, FLAGS = SOCK_CLOEXEC | SOCK_NONBLOCK;
  const uint64_t v = p.value();
  if (value_name(FlagFamily::socket_type, static_cast<int64_t>(v & TYPE)) == nullptr) {
    p.flags(FlagFamily::sock_flags, v);
    return;
  }
  static_assert((FLAGS & TYPE) == 0);
  p.composite(v, [&] {
    p.name(FlagFamily::socket_type, v & TYPE);
    if ((v & ~TYPE) == 0) return;
    p.put("|");
    p.flags(FlagFamily::sock_flags, v & ~TYPE);
  });
}

void format_SOCKET_PROTOCOL(Printer& p) {
  const bool pair = p.spec.nargs == 4;  // socketpair(2): strace shows the number
  switch (pair ? uint64_t{AF_UNIX} : p.arg(0)) {
    case AF_INET:
    case AF_INET6:
      p.name(FlagFamily::ip_protocol, p.value());
      break;
    case AF_NETLINK:
      p.name(FlagFamily::netlink_protocol, p.value());
      break;
    case AF_PACKET:
      p.put("htons(");
      p.name(FlagFamily::ether_protocol, ntohs(static_cast<uint16_t>(p.value())));
      p.put(")");
      break;
    default:
      p.print("{}", p.value());
      break;
  }
}

void format_SOCKOPT_NAME(Printer& p) {
  constexpr uint64_t UDPLITE = 136;
  switch (p.arg(1)) {
    case SOL_SOCKET:
      p.name(FlagFamily::so_options, p.value());
      break;
    case SOL_IP:
      p.name(FlagFamily::ip_options, p.value());
      break;
    case SOL_IPV6:
      p.name(FlagFamily::ipv6_options, p.value());
      break;
    case SOL_TCP:
      p.name(FlagFamily::tcp_options, p.value());
      break;
    case IPPROTO_UDP:
    case UDPLITE:
      p.name(FlagFamily::udp_options, p.value());
      break;
    case SOL_ICMPV6:
      p.name(FlagFamily::icmp6_options, p.value());
      break;
    case SOL_RAW:
      p.name(FlagFamily::raw_options, p.value());
      break;
    case SOL_PACKET:
      p.name(FlagFamily::packet_options, p.value());
      break;
    case SOL_NETLINK:
      p.name(FlagFamily::netlink_options, p.value());
      break;
    default:
      p.print("{}", p.value());
      break;
  }
}

namespace {

// Options whose value is not a number. False: none of them.
bool print_structured_option(Printer& p, uint64_t len) {
  const uint64_t level = p.arg(1), option = p.arg(2);
  if (level == SOL_SOCKET && option == SO_LINGER && len >= sizeof(linger)) {
    linger l;
    if (p.load(p.value(), l)) p.print("{{l_onoff={}, l_linger={}}}", l.l_onoff, l.l_linger);
    return true;
  }
  if (level == SOL_SOCKET && option == SO_PEERCRED && len >= sizeof(ucred)) {
    ucred c;
    if (!p.load(p.value(), c)) return true;
    p.print("{{pid={}, uid={}, gid={}}}", c.pid, c.uid, c.gid);
    return true;
  }
  if (level == SOL_IP && (option == IP_ADD_MEMBERSHIP || option == IP_DROP_MEMBERSHIP) &&
      len >= sizeof(ip_mreq)) {
    ip_mreq m;
    if (!p.load(p.value(), m)) return true;
    p.put("{imr_multiaddr=");
    print_inet_addr(p, m.imr_multiaddr);
    p.put(", imr_interface=");
    print_inet_addr(p, m.imr_interface);
    p.put("}");
    return true;
  }
  if (level == SOL_IPV6 && (option == IPV6_ADD_MEMBERSHIP || option == IPV6_DROP_MEMBERSHIP) &&
      len >= sizeof(ipv6_mreq)) {
    ipv6_mreq m;
    if (!p.load(p.value(), m)) return true;
    p.put("{");
    print_inet6(p, m.ipv6mr_multiaddr, "ipv6mr_multiaddr");
    p.print(", ipv6mr_interface={}}}", m.ipv6mr_interface);
    return true;
  }
  return false;
}

void print_option(Printer& p, uint64_t len) {
  if (p.value() == 0) {
    p.address(0);
    return;
  }
  if (print_structured_option(p, len)) return;
  int32_t number;
  if (len != sizeof number)
    p.bytes(p.value(), len);
  else if (p.load(p.value(), number))
    p.print("[{}]", number);
}

}  // namespace

void format_SOCKOPT_VALUE(Printer& p) {
  auto len = static_cast<int32_t>(p.arg(4));
  if (len < 0)
    p.address(p.value());
  else
    print_option(p, static_cast<uint64_t>(len));
}

void format_SOCKOPT_VALUE_P(Printer& p) {
  int32_t len = 0;
  if (p.failed() || !p.mem.read(p.arg(4), &len, sizeof len) || len < 0)
    p.address(p.value());
  else
    print_option(p, static_cast<uint64_t>(len));
}

}  // namespace starry::trace
