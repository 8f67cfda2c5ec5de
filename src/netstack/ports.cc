#include "netstack/ports.h"

#include "emulated_kernel/platform.h"

namespace starry {

namespace {

// inet_rcv_saddr_equal() with wildcards.
bool overlap(const PortUser& a, const PortUser& b) {
  auto takes_all = [](const PortUser& u, const IpAddr& other) {
    if (!u.ip.is_any()) return false;
    if (u.ip.is_v4()) return other.is_v4() || other.is_any();
    return !u.v6only || !other.is_v4();
  };
  if (a.ip == b.ip) return true;
  // 0.0.0.0 meets :: only if the latter is dual-stack.
  if (a.ip.is_any() && b.ip.is_any()) return a.ip.is_v4() ? !b.v6only : !a.v6only;
  return takes_all(a, b.ip) || takes_all(b, a.ip);
}

}  // namespace

bool address_accepts(const IpAddr& bound, bool v6only, const IpAddr& dest) {
  if (bound == dest) return true;
  if (!bound.is_any()) return false;
  return bound.is_v4() ? dest.is_v4() : !(v6only && dest.is_v4());
}

// `strict`: for an automatic choice, where even sharing by SO_REUSEADDR is avoided.
bool PortTable::conflict_between(const PortUser& a, const PortUser& b, bool strict) const {
  if (!overlap(a, b)) return false;
  const bool same_port_group = a.reuseport && b.reuseport && a.uid == b.uid;
  if (same_port_group) return strict;
  if (!strict && a.reuseaddr && b.reuseaddr) return tcp_ && b.listening;
  return true;
}

bool PortTable::conflicts(const PortUser& u, uint16_t port) {
  if (expire) expire();
  const auto it = by_port_.find(port);
  if (it == by_port_.end()) return false;
  for (const PortUser& other : it->second)
    if (&other != &u && conflict_between(u, other, false)) return true;
  return false;
}

void PortTable::adopt(PortUser& u, uint16_t port) {
  // Users leave by themselves; their empty lists go now and then, so that a table does not grow with its
  // history.
  if (by_port_.size() >= sweep_at_) {
    std::erase_if(by_port_, [](const auto& entry) { return entry.second.empty(); });
    sweep_at_ = std::max(SWEEP_MIN, 2 * by_port_.size());
  }
  u.port = port;
  by_port_[port].push_front(u);
}

void PortTable::release(PortUser& u) {
  if (u.is_linked()) u.unlink();
  u.port = 0;
}

Result<void> PortTable::bind(PortUser& u, uint16_t port) {
  if (conflicts(u, port)) return Error{EADDRINUSE};
  adopt(u, port);
  return {};
}

uint16_t PortTable::next_ephemeral() {
  if (!started_) {
    platform().entropy(&rover_, sizeof rover_);
    started_ = true;
  }
  const PortRange& range = ephemeral_ports();
  return static_cast<uint16_t>(range.first + rover_++ % static_cast<uint32_t>(range.count()));
}

Result<void> PortTable::bind_ephemeral(PortUser& u) {
  if (expire) expire();
  for (int i = 0; i < ephemeral_ports().count(); i++) {
    const uint16_t port = next_ephemeral();
    const auto it = by_port_.find(port);
    bool taken = false;
    if (it != by_port_.end())
      for (const PortUser& other : it->second) taken = taken || conflict_between(u, other, true);
    if (taken) continue;
    adopt(u, port);
    return {};
  }
  return Error{EADDRINUSE};
}

Result<void> PortTable::bind_for_connect(PortUser& u, const std::function<bool(uint16_t)>& usable) {
  if (expire) expire();
  for (int i = 0; i < ephemeral_ports().count(); i++) {
    const uint16_t port = next_ephemeral();
    const auto it = by_port_.find(port);
    bool taken = false;
    // Ports that were bound explicitly are left alone; the first entry speaks for all.
    if (it != by_port_.end() && !it->second.empty()) taken = !it->second.front().connect_only;
    if (taken || !usable(port)) continue;
    u.connect_only = true;
    adopt(u, port);
    return {};
  }
  return Error{EADDRNOTAVAIL};
}

PortRange& ephemeral_ports() {
  static PortRange range;
  return range;
}

PortTable& tcp_ports() {
  static PortTable table(true);
  return table;
}

PortTable& udp_ports() {
  static PortTable table(false);
  return table;
}

}  // namespace starry
