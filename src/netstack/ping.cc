#include <algorithm>

#include "netstack/datagram.h"

namespace starry {

namespace {
constexpr size_t ICMP_HEADER = 8, PACKET_MAX = 65507;
constexpr uint8_t ECHO_V4 = 8, ECHO_V6 = 128;

// Identifiers are handed out like ports.
PortTable& identifiers() {
  static PortTable table(false);
  return table;
}
}  // namespace

PingSocket::PingSocket(int family, int protocol) : InetDatagramSocket(family, protocol, identifiers()) {}

Result<size_t> PingSocket::send(SendMsg& m) {
  const size_t n = m.data->remaining();
  if (n > 0xffff) return Error{EMSGSIZE};
  if (n < ICMP_HEADER) return Error{EINVAL};
  if (n > PACKET_MAX) return Error{EMSGSIZE};
  std::vector<uint8_t> packet(n);
  auto got = m.data->copy_in(packet.data(), n);
  if (!got.ok() || got.value() < n) return Error{EFAULT};
  if (packet[0] != (family() == AF_INET ? ECHO_V4 : ECHO_V6) || packet[1] != 0) return Error{EINVAL};
  const Route r = TRY(route(m));
  if (r.to.ip.is_v4() != (family() == AF_INET)) return Error{ENETUNREACH};
  packet[4] = static_cast<uint8_t>(local_.port >> 8);
  packet[5] = static_cast<uint8_t>(local_.port);
  TRY(lwip::send_echo(r.to.ip, packet));
  return n;
}

PingSocket* PingSocket::find(int family, uint16_t id) {
  PingSocket* found = nullptr;
  for_each_socket([&](Socket& s) {
    auto* ping = dynamic_cast<PingSocket*>(&s);
    if (ping != nullptr && ping->family() == family && ping->port_number() == id) found = ping;
  });
  return found;
}

}  // namespace starry
