// The one network interface of the guest, as netdevice(7) and rtnetlink(7) show it.
#pragma once

#include <cstdint>

namespace starry {

inline constexpr int LO_IFINDEX = 1, LO_MTU = 65536, LO_TXQLEN = 1000;
inline constexpr uint8_t DEFAULT_TTL = 64;  // net.ipv4.ip_default_ttl, net.ipv6.conf.lo.hop_limit

}  // namespace starry
