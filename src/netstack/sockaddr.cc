#include "netstack/sockaddr.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace starry {

namespace {
constexpr std::array<uint8_t, 12> MAPPED_PREFIX = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr uint32_t SIN6_LEN_RFC2133 = 24;  // sockaddr_in6 without the scope id
}  // namespace

IpAddr IpAddr::v4(uint32_t host_order) {
  IpAddr a;
  std::copy(MAPPED_PREFIX.begin(), MAPPED_PREFIX.end(), a.b.begin());
  const uint32_t n = htonl(host_order);
  std::memcpy(&a.b[12], &n, sizeof n);
  return a;
}

IpAddr IpAddr::loopback(int family) {
  if (family == AF_INET) return v4(INADDR_LOOPBACK);
  IpAddr a;
  a.b[15] = 1;
  return a;
}

bool IpAddr::is_v4() const { return std::equal(MAPPED_PREFIX.begin(), MAPPED_PREFIX.end(), b.begin()); }

uint32_t IpAddr::v4() const {
  uint32_t n;
  std::memcpy(&n, &b[12], sizeof n);
  return ntohl(n);
}

bool IpAddr::is_any() const { return is_v4() ? v4() == INADDR_ANY : *this == IpAddr{}; }

bool IpAddr::is_loopback() const {
  return is_v4() ? (v4() >> 24) == 127 && !is_broadcast() : *this == loopback(AF_INET6);
}

bool IpAddr::is_multicast() const { return is_v4() ? IN_MULTICAST(v4()) : b[0] == 0xff; }

bool IpAddr::is_broadcast() const { return is_v4() && (v4() == INADDR_BROADCAST || v4() == 0x7fffffff); }

size_t EndpointPairHash::operator()(const std::pair<Endpoint, Endpoint>& p) const {
  auto bytes = [](const Endpoint& e) {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(e.ip.b.data()), e.ip.b.size()});
  };
  size_t h = bytes(p.first) * 31 + bytes(p.second);
  return h * 0x9e3779b97f4a7c15ULL + (static_cast<size_t>(p.first.port) << 16 | p.second.port);
}

Result<Endpoint> endpoint_from(const SockAddr& a, int family) {
  if (family == AF_INET) {
    if (a.len < sizeof(sockaddr_in)) return Error{EINVAL};
    const auto in = a.as<sockaddr_in>();
    if (in.sin_family != AF_INET) return Error{EAFNOSUPPORT};
    return Endpoint{IpAddr::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
  }
  if (a.len < SIN6_LEN_RFC2133) return Error{EINVAL};
  const auto in6 = a.as<sockaddr_in6>();
  if (in6.sin6_family != AF_INET6) return Error{EAFNOSUPPORT};
  Endpoint e;
  std::memcpy(e.ip.b.data(), &in6.sin6_addr, e.ip.b.size());
  e.port = ntohs(in6.sin6_port);
  return e;
}

SockAddr sockaddr_from(const Endpoint& e, int family) {
  if (family == AF_INET) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(e.port);
    in.sin_addr.s_addr = htonl(e.ip.is_v4() ? e.ip.v4() : INADDR_ANY);
    return SockAddr::from(in);
  }
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(e.port);
  std::memcpy(&in6.sin6_addr, e.ip.b.data(), e.ip.b.size());
  return SockAddr::from(in6);
}

}  // namespace starry
