#include "netstack/netstack.h"

#include "netstack/datagram.h"
#include "netstack/proc_net.h"
#include "netstack/tcp_table.h"

namespace starry {

void netstack_init() {
  tcp_ports().expire = [] { tcp_table().expire_time_wait(); };
  lwip::Hooks hooks{};
  hooks.syn = [](const Endpoint& server, const Endpoint& client) {
    return tcp_table().on_syn(server, client);
  };
  hooks.established = [](const Endpoint& server, const Endpoint& client) {
    tcp_table().on_established(server, client);
  };
  hooks.datagram = [](const lwip::Datagram& d) {
    UdpSocket* s = UdpSocket::find(d.to, d.from);
    if (s != nullptr) s->deliver(d);
    return s != nullptr;
  };
  hooks.unreachable = [](const Endpoint& from, const Endpoint& to, int error) {
    if (UdpSocket* s = UdpSocket::find(from, to)) s->undeliverable(to, error);
  };
  hooks.echo_reply = [](const IpAddr& from, uint16_t id, std::span<const uint8_t> icmp, uint8_t ttl) {
    PingSocket* s = PingSocket::find(from.family(), id);
    if (s != nullptr) s->deliver({{from, 0}, {IpAddr::loopback(from.family()), 0}, ttl, 0, icmp});
  };
  lwip::init(hooks);
  netstack_register_proc();
}

}  // namespace starry
