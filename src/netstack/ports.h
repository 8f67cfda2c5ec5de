// Who uses which TCP or UDP port, with Linux's rules for sharing (socket(7), ip(7)): SO_REUSEADDR,
// SO_REUSEPORT, dual-stack overlap, the range of ports that are given away.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "emulated_kernel/base/result.h"
#include "netstack/sockaddr.h"

namespace starry {

inline constexpr uint16_t UNPRIVILEGED_PORT_START = 1024;  // net.ipv4.ip_unprivileged_port_start
// /proc/sys/net/ipv4/ip_local_port_range: ports for sockets that do not ask for one.
struct PortRange {
  uint16_t first = 32768, last = 60999;
  int count() const { return last - first + 1; }
};
PortRange& ephemeral_ports();

// One use of a port: by a bound socket, a connection, or what is left of one (TIME_WAIT).
struct PortUser
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  IpAddr ip;          // may be a wildcard
  uint16_t port = 0;  // 0: none
  bool v6only = false;
  bool reuseaddr = false, reuseport = false;
  bool listening = false;     // TCP
  bool connect_only = false;  // got the port from connect(2): other connects may share it
  uint32_t uid = 0;
  bool bound() const { return is_linked(); }
};

class PortTable {
 public:
  // TCP: two SO_REUSEADDR sockets may share unless one listens. UDP: they always may.
  explicit PortTable(bool tcp) : tcp_(tcp) {}

  // `u` has its address and flags filled in. EADDRINUSE.
  Result<void> bind(PortUser& u, uint16_t port);
  Result<void> bind_ephemeral(PortUser& u);
  // A local port for a connection: shared with other connections if `usable(port)` says that the pair
  // of addresses is free. EADDRNOTAVAIL when all are taken (connect(2)).
  Result<void> bind_for_connect(PortUser& u, const std::function<bool(uint16_t)>& usable);
  // Takes the place of `model` on its port without a check (accepted connections).
  void adopt(PortUser& u, uint16_t port);
  static void release(PortUser& u);
  // Does anybody else stand in the way of `u` on its port? Also asked at listen(2), with u.listening.
  bool conflicts(const PortUser& u, uint16_t port);
  // TIME_WAIT users; called before checks.
  std::function<void()> expire;

 private:
  using List = boost::intrusive::list<PortUser, boost::intrusive::constant_time_size<false>>;
  bool conflict_between(const PortUser& a, const PortUser& b, bool strict) const;
  // Starts at a random place and goes round, so that a search does not begin among taken ports.
  uint16_t next_ephemeral();

  bool tcp_;
  bool started_ = false;
  uint32_t rover_ = 0;
  static constexpr size_t SWEEP_MIN = 64;
  size_t sweep_at_ = SWEEP_MIN;
  std::unordered_map<uint16_t, List> by_port_;
};

PortTable& tcp_ports();
PortTable& udp_ports();

// May a listener or datagram socket on `bound` take traffic for `dest`?
bool address_accepts(const IpAddr& bound, bool v6only, const IpAddr& dest);

}  // namespace starry
