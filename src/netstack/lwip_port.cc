#include "netstack/lwip_port.h"

#include <cstring>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/platform.h"
#include "lwip/init.h"
#include "lwip/tcpip.h"
#include "netstack/err.h"
#include "netstack/lwip_internal.h"

// lwIP's port layer. The packaged library brings one for POSIX threads; these two definitions take
// precedence over it by symbol interposition. Time is the kernel's, and "call netif_poll in the TCP/IP
// thread", which netif_loop_output() asks for, is what run_lo() does anyway.
extern "C" {
[[gnu::visibility("default"), gnu::used]] u32_t sys_now(void) {
  return static_cast<u32_t>(starry::platform().monotonic_ns() / 1000000);
}
[[gnu::visibility("default"), gnu::used]] err_t tcpip_try_callback(tcpip_callback_fn, void*) {
  return ERR_OK;
}
}

namespace starry::lwip {

namespace {

constexpr u16_t NETIF_MTU = 65535;
constexpr uint8_t PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMP6 = 58;
constexpr uint8_t TCP_FLAG_SYN = 0x02, TCP_FLAG_ACK = 0x10;

Hooks the_hooks;
netif the_lo;
LoCounters counters;

// The parts of a packet that the hooks need. Packets come from lwIP itself, one pbuf each.
struct Packet {
  uint8_t proto = 0;
  Endpoint from, to;
  std::span<const uint8_t> l4;
};

bool parse(std::span<const uint8_t> ip, Packet* out) {
  if (ip.empty()) return false;
  size_t header;
  if (ip[0] >> 4 == 4) {
    header = (ip[0] & 0xfu) * 4;
    if (header < 20 || ip.size() < header) return false;
    uint32_t src, dst;
    std::memcpy(&src, &ip[12], 4);
    std::memcpy(&dst, &ip[16], 4);
    out->from.ip = IpAddr::v4(ntohl(src));
    out->to.ip = IpAddr::v4(ntohl(dst));
    out->proto = ip[9];
  } else {
    header = 40;
    if (ip.size() < header) return false;
    std::memcpy(out->from.ip.b.data(), &ip[8], 16);
    std::memcpy(out->to.ip.b.data(), &ip[24], 16);
    out->proto = ip[6];
  }
  out->l4 = ip.subspan(header);
  if ((out->proto == PROTO_TCP || out->proto == PROTO_UDP) && out->l4.size() >= 4) {
    out->from.port = static_cast<uint16_t>(out->l4[0] << 8 | out->l4[1]);
    out->to.port = static_cast<uint16_t>(out->l4[2] << 8 | out->l4[3]);
  }
  return true;
}

// lwIP has no upcall for a destination unreachable: the packet that caused it is quoted behind the
// 8-byte ICMP header.
void report_unreachable(const Packet& icmp, int error) {
  Packet quoted;
  if (icmp.l4.size() > 8 && parse(icmp.l4.subspan(8), &quoted) && quoted.proto == PROTO_UDP)
    the_hooks.unreachable(quoted.from, quoted.to, error);
}

// Looks at a packet on its way back in. False: drop it.
bool inspect(const Packet& p) {
  if (p.proto == PROTO_TCP && p.l4.size() >= 20) {
    const bool opens = (p.l4[13] & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN;
    return !opens || the_hooks.syn(p.to, p.from);
  }
  if (p.proto == PROTO_ICMP && p.l4.size() >= 8 && p.l4[0] == 3)
    report_unreachable(p, errno_from_unreachable(p.l4[1]));
  if (p.proto == PROTO_ICMP6 && p.l4.size() >= 8 && p.l4[0] == 1)
    report_unreachable(p, errno_from_unreachable6(p.l4[1]));
  return true;
}

pbuf* take_packet() {
  pbuf* p = the_lo.loop_first;
  if (p == nullptr) return nullptr;
  the_lo.loop_first = p->next;
  if (p->next == nullptr) the_lo.loop_last = nullptr;
  p->next = nullptr;
  return p;
}

void deliver(pbuf* p) {
  const std::span<const uint8_t> bytes(static_cast<const uint8_t*>(p->payload), p->len);
  Packet packet;
  counters.packets++;
  counters.bytes += bytes.size();
  if (!parse(bytes, &packet) || !inspect(packet)) {
    pbuf_free(p);
    return;
  }
  // All of 127.0.0.0/8 is local, but ip4_input() only accepts the interface's own address.
  const ip4_addr_t own = *netif_ip4_addr(&the_lo);
  if (packet.to.ip.is_v4()) std::memcpy(ip_2_ip4(&the_lo.ip_addr), &bytes[16], 4);
  if (ip_input(p, &the_lo) != ERR_OK) pbuf_free(p);
  *ip_2_ip4(&the_lo.ip_addr) = own;
}

err_t no_output4(netif*, pbuf*, const ip4_addr_t*) { return ERR_RTE; }
err_t no_output6(netif*, pbuf*, const ip6_addr_t*) { return ERR_RTE; }

err_t lo_init(netif* n) {
  n->name[0] = 'l';
  n->name[1] = 'o';
  n->mtu = NETIF_MTU;
  // Local destinations go to netif_loop_output(); nothing else is reachable.
  n->output = no_output4;
  n->output_ip6 = no_output6;
  return ERR_OK;
}

}  // namespace

Hooks& hooks() { return the_hooks; }
netif& lo() { return the_lo; }
const LoCounters& lo_counters() { return counters; }
void count_lo_bytes(size_t n) {
  counters.packets++;
  counters.bytes += n;
}

ip_addr_t to_lwip(const IpAddr& a) {
  ip_addr_t out;
  if (a.is_v4()) {
    ip_addr_set_ip4_u32_val(out, htonl(a.v4()));
  } else {
    uint32_t w[4];
    std::memcpy(w, a.b.data(), sizeof w);
    IP_ADDR6(&out, w[0], w[1], w[2], w[3]);
  }
  return out;
}

IpAddr from_lwip(const ip_addr_t& a) {
  if (IP_IS_V4_VAL(a)) return IpAddr::v4(ntohl(ip4_addr_get_u32(ip_2_ip4(&a))));
  IpAddr out;
  std::memcpy(out.b.data(), ip_2_ip6(&a)->addr, out.b.size());
  return out;
}

void run_lo() {
  static bool running = false;
  if (running) return;  // a hook caused a packet: the outer loop delivers it
  running = true;
  while (pbuf* p = take_packet()) deliver(p);
  running = false;
  tcp_after_run();
}

void init(const Hooks& h) {
  the_hooks = h;
  static bool done = false;
  if (done) return;
  done = true;
  // Also queues lwIP's cyclic timers; nobody runs those lists, an idle guest costs no CPU time.
  lwip_init();
  ip4_addr_t ip, mask, gateway;
  IP4_ADDR(&ip, 127, 0, 0, 1);
  IP4_ADDR(&mask, 255, 0, 0, 0);
  IP4_ADDR(&gateway, 0, 0, 0, 0);
  CHECK(netif_add(&the_lo, &ip, &mask, &gateway, nullptr, lo_init, ip_input) != nullptr);
  IP_ADDR6_HOST(&the_lo.ip6_addr[0], 0, 0, 0, 1);
  the_lo.ip6_addr_state[0] = IP6_ADDR_VALID;
  netif_set_default(&the_lo);
  netif_set_link_up(&the_lo);
  netif_set_up(&the_lo);
  init_echo();
}

}  // namespace starry::lwip
