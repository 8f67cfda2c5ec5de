#include <map>
#include <utility>
#include <vector>

#include "emulated_kernel/base/log.h"
#include "lwip/icmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/raw.h"
#include "lwip/udp.h"
#include "netstack/err.h"
#include "netstack/lwip_internal.h"

namespace starry::lwip {

namespace {

struct Port {
  udp_pcb* pcb = nullptr;
  int users = 0;
};
std::map<uint16_t, Port>& ports() {
  static std::map<uint16_t, Port> map;
  return map;
}

// Valid during a receive callback.
Datagram current_datagram(const ip_addr_t* from, uint16_t from_port, uint16_t to_port) {
  Datagram d;
  d.from = {from_lwip(*from), from_port};
  d.to = {from_lwip(*ip_current_dest_addr()), to_port};
  if (ip_current_is_v6()) {
    d.ttl = IP6H_HOPLIM(ip6_current_header());
    d.tos = static_cast<uint8_t>(IP6H_TC(ip6_current_header()));
  } else {
    d.ttl = IPH_TTL(ip4_current_header());
    d.tos = IPH_TOS(ip4_current_header());
  }
  return d;
}

std::span<const uint8_t> payload(const pbuf* p) {
  return {static_cast<const uint8_t*>(p->payload), p->len};  // one pbuf: netif_loop_output made it
}

void on_datagram(void*, udp_pcb* pcb, pbuf* p, const ip_addr_t* from, u16_t port) {
  Datagram d = current_datagram(from, port, pcb->local_port);
  d.data = payload(p);
  if (!hooks().datagram(d)) {
    pbuf_header_force(p, static_cast<s16_t>(ip_current_header_tot_len() + UDP_HLEN));
    icmp_port_unreach(ip_current_is_v6(), p);
  }
  pbuf_free(p);
}

// Ping sockets: all echo replies, v4 with its IP header in front, v6 without.
u8_t on_icmp(void* arg, raw_pcb*, pbuf* p, const ip_addr_t* from) {
  const bool v6 = arg != nullptr;
  const Datagram d = current_datagram(from, 0, 0);
  auto icmp = payload(p);
  const size_t header = v6 ? 40 : IPH_HL_BYTES(ip4_current_header());
  if (icmp.size() < header + 8) return 0;
  icmp = icmp.subspan(header);
  if (icmp[0] == (v6 ? ICMP6_TYPE_EREP : ICMP_ER))
    hooks().echo_reply(d.from.ip, static_cast<uint16_t>(icmp[4] << 8 | icmp[5]), icmp, d.ttl);
  return 0;  // lwIP goes on with it
}

raw_pcb* icmp_pcb(bool v6) {
  static raw_pcb* pcbs[2];
  raw_pcb*& pcb = pcbs[v6];
  if (pcb == nullptr) {
    pcb = raw_new_ip_type(v6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4, v6 ? IP6_NEXTH_ICMP6 : IP_PROTO_ICMP);
    CHECK(pcb != nullptr);
    raw_recv(pcb, on_icmp, v6 ? pcb : nullptr);
    if (v6) {  // lwIP fills in the ICMPv6 checksum
      pcb->chksum_reqd = 1;
      pcb->chksum_offset = 2;
    }
  }
  return pcb;
}

struct PbufDeleter {
  void operator()(pbuf* p) const { pbuf_free(p); }
};
using PbufPtr = std::unique_ptr<pbuf, PbufDeleter>;

PbufPtr make_pbuf(pbuf_layer layer, std::span<const uint8_t> data) {
  PbufPtr p(pbuf_alloc(layer, static_cast<u16_t>(data.size()), PBUF_RAM));
  if (p) pbuf_take(p.get(), data.data(), static_cast<u16_t>(data.size()));
  return p;
}

}  // namespace

void init_echo() {
  icmp_pcb(false);
  icmp_pcb(true);
}

Result<void> UdpPort::open(uint16_t port) {
  close();
  Port& p = ports()[port];
  if (p.pcb == nullptr) {
    p.pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
    const err_t err = p.pcb == nullptr ? static_cast<err_t>(ERR_MEM) : udp_bind(p.pcb, IP_ANY_TYPE, port);
    if (err != ERR_OK) {
      if (p.pcb != nullptr) udp_remove(p.pcb);
      ports().erase(port);
      return Error{errno_from_lwip(err)};
    }
    udp_recv(p.pcb, on_datagram, nullptr);
  }
  p.users++;
  port_ = port;
  return {};
}

void UdpPort::close() {
  const uint16_t port = std::exchange(port_, 0);
  if (port == 0) return;
  Port& p = ports()[port];
  if (--p.users > 0) return;
  udp_remove(p.pcb);
  ports().erase(port);
}

Result<void> send_datagram(const Datagram& d) {
  const auto it = ports().find(d.from.port);
  if (it == ports().end()) return Error{EINVAL};
  udp_pcb* pcb = it->second.pcb;
  PbufPtr p = make_pbuf(PBUF_TRANSPORT, d.data);
  if (!p) return Error{ENOBUFS};
  const ip_addr_t from = to_lwip(d.from.ip), to = to_lwip(d.to.ip);
  pcb->ttl = d.ttl;
  pcb->tos = d.tos;
  ip_set_option(pcb, SOF_BROADCAST);  // udp.cc has checked SO_BROADCAST
  const err_t err = udp_sendto_if_src(pcb, p.get(), &to, d.to.port, &lo(), &from);
  run_lo();
  if (err != ERR_OK) return Error{errno_from_lwip(err)};
  return {};
}

Result<void> send_echo(const IpAddr& to, std::span<const uint8_t> icmp) {
  PbufPtr p = make_pbuf(PBUF_IP, icmp);
  if (!p) return Error{ENOBUFS};
  const bool v6 = !to.is_v4();
  const ip_addr_t dst = to_lwip(to), src = to_lwip(IpAddr::loopback(to.family()));
  auto* bytes = static_cast<uint8_t*>(p->payload);
  bytes[2] = bytes[3] = 0;
  if (!v6) {
    const u16_t sum = inet_chksum_pbuf(p.get());
    std::memcpy(bytes + 2, &sum, sizeof sum);
  }
  const err_t err = raw_sendto_if_src(icmp_pcb(v6), p.get(), &dst, &lo(), &src);
  run_lo();
  if (err != ERR_OK) return Error{errno_from_lwip(err)};
  return {};
}

}  // namespace starry::lwip
