// Shared by lwip_port.cc, lwip_tcp.cc and lwip_udp.cc; knows lwIP's types.
#pragma once

#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS
#include "lwip/ip.h"
#include "lwip/netif.h"
#include "netstack/lwip_port.h"

namespace starry::lwip {

Hooks& hooks();
netif& lo();
// Delivers queued packets until there are none.
void run_lo();
void tcp_after_run();  // lwip_tcp.cc: lets go of established connections, arms the timer
void init_echo();      // lwip_udp.cc

ip_addr_t to_lwip(const IpAddr& a);
IpAddr from_lwip(const ip_addr_t& a);

}  // namespace starry::lwip
