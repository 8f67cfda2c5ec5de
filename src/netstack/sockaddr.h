// Socket addresses. Inside the stack an IPv4 address is its v4-mapped IPv6 form, so that one code path
// serves both families and dual-stack sockets (ipv6(7)).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>

#include "emulated_kernel/base/result.h"

namespace starry {

// A sockaddr as it crosses the system call boundary (struct sockaddr_storage and its length).
struct SockAddr {
  alignas(8) std::array<uint8_t, sizeof(sockaddr_storage)> bytes{};
  uint32_t len = 0;

  uint16_t family() const {
    uint16_t f;
    std::memcpy(&f, bytes.data(), sizeof f);
    return f;
  }
  template <class T>
  T as() const {
    T v;
    std::memcpy(&v, bytes.data(), sizeof v);
    return v;
  }
  template <class T>
  static SockAddr from(const T& v, uint32_t n = sizeof(T)) {
    SockAddr a;
    std::memcpy(a.bytes.data(), &v, sizeof v);
    a.len = n;
    return a;
  }
};

struct IpAddr {
  std::array<uint8_t, 16> b{};

  static IpAddr v4(uint32_t host_order);
  static IpAddr any(int family) { return family == AF_INET ? v4(INADDR_ANY) : IpAddr{}; }
  static IpAddr loopback(int family);
  bool is_v4() const;        // v4-mapped
  uint32_t v4() const;       // host order; only if is_v4()
  bool is_any() const;       // 0.0.0.0 or ::
  bool is_loopback() const;  // 127.0.0.0/8 or ::1: the only addresses of this host
  bool is_multicast() const;
  bool is_broadcast() const;  // 255.255.255.255 and lo's 127.255.255.255
  int family() const { return is_v4() ? AF_INET : AF_INET6; }
  auto operator<=>(const IpAddr&) const = default;
};

struct Endpoint {
  IpAddr ip;
  uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};

struct EndpointPairHash {
  size_t operator()(const std::pair<Endpoint, Endpoint>& p) const;
};

// What an AF_INET or AF_INET6 socket gets as an address. EINVAL (too short), EAFNOSUPPORT.
Result<Endpoint> endpoint_from(const SockAddr& a, int family);
// As a socket of `family` shows it.
SockAddr sockaddr_from(const Endpoint& e, int family);

}  // namespace starry
