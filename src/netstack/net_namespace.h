// Network namespaces (struct net, network_namespaces(7)). The stack below the sockets exists once and belongs
// to the initial one. The others have a `lo` that stays down, as it is in a new one: their sockets have ports
// and names of their own, and reach nobody.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "emulated_kernel/task/namespace.h"
#include "netstack/ports.h"

namespace starry {

class NetlinkSocket;
class UnixSocket;

class NetNamespace final : public Namespace {
 public:
  explicit NetNamespace(Ref<const UserNamespace> owner, uint64_t number = 0);

  const bool initial;
  PortTable& tcp_ports() { return initial ? starry::tcp_ports() : tcp_; }
  PortTable& udp_ports() { return initial ? starry::udp_ports() : udp_; }
  std::map<std::string, UnixSocket*> abstract_names;  // by everything behind sun_family
  std::map<uint32_t, NetlinkSocket*> netlink_port_ids;

 private:
  PortTable tcp_{true}, udp_{false};
};

const Ref<NetNamespace>& initial_net_ns();

}  // namespace starry
