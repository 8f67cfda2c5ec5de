// What AF_INET and AF_INET6 sockets share: addresses, the local port, and the options of ip(7) and
// ipv6(7).
#pragma once

#include "netstack/ports.h"
#include "netstack/socket.h"

namespace starry {

struct IpOptions {
  int tos = 0, ttl = -1, mtu_discover = 1;  // -1: net.ipv4.ip_default_ttl
  bool pktinfo = false, recvttl = false, recvtos = false, recverr = false, freebind = false;
  bool hdrincl = false, recvorigdstaddr = false, transparent = false, bind_no_port = false;
  int mcast_ttl = 1;
  bool mcast_loop = true, mcast_all = true;
  uint32_t mcast_addr = 0;  // IP_MULTICAST_IF: the address, if one was given; the interface is lo anyway
  int min_ttl = 0;
  // IPv6
  bool v6only = false;
  int tclass = 0, hops = -1, mcast_hops = 1, mtu_discover6 = 1;
  bool recvpktinfo6 = false, recvhoplimit = false, recvtclass = false, recverr6 = false;
  bool mcast_loop6 = true, mcast_all6 = true;
  int mcast_if6 = 0;
  bool autoflowlabel = false, freebind6 = false;
};

class InetSocket : public Socket {
 public:
  InetSocket(int family, int type, int protocol, PortTable& ports, Ref<NetNamespace> net);
  ~InetSocket() override;

  Result<void> bind(const SockAddr& a) override;
  Result<SockAddr> local_name() override;
  Result<SockAddr> peer_name() override;
  Result<SockAddr> accepted_name() override { return sockaddr_from(remote_, family()); }

  Result<void> set_option(int level, int name, std::span<const uint8_t> value) override;
  Result<std::vector<uint8_t>> get_option(int level, int name, size_t max) override;

  const PortUser* port() const { return port_.get(); }
  uint16_t port_number() const { return local_.port; }
  const Endpoint& local() const { return local_; }
  const Endpoint& remote() const { return remote_; }

  bool in_group(const IpAddr& group) const;

  IpOptions ip;

 protected:
  // EINVAL of bind(2): already bound, listening, connected.
  virtual bool may_bind() const { return local_.port == 0; }
  virtual Result<void> after_bind() { return {}; }
  virtual bool connected() const = 0;
  virtual bool established() const { return connected(); }
  // IPV6_ADDRFORM of an established socket whose peer is an IPv4 one: from now on it is an AF_INET socket.
  virtual void become_ipv4();
  // Level IPPROTO_TCP or IPPROTO_UDP.
  virtual Result<void> set_protocol_option(int /*name*/, std::span<const uint8_t>) {
    return Error{ENOPROTOOPT};
  }
  virtual Result<std::vector<uint8_t>> get_protocol_option(int /*name*/, size_t /*max*/) {
    return Error{ENOPROTOOPT};
  }
  void options_changed() override;

  // Where a packet for `to` goes and comes from: wildcards become loopback (connect(2) to 0.0.0.0),
  // addresses that are not ours ENETUNREACH.
  Result<Endpoint> resolve_remote(Endpoint to) const;
  Result<IpAddr> source_for(const IpAddr& to) const;
  // A fresh entry for the port table with this socket's flags.
  std::unique_ptr<PortUser> new_port_user(const IpAddr& ip_addr) const;
  Result<void> bind_ephemeral();
  bool user_bound_port_ = false, user_bound_addr_ = false;  // SOCK_BINDPORT_LOCK, SOCK_BINDADDR_LOCK

  PortTable& ports_;
  std::unique_ptr<PortUser> port_;
  Endpoint local_, remote_;

 private:
  bool has_level(int level) const;
  // multicast.cc
  Result<void> set_ip_membership(int name, std::span<const uint8_t> value);
  Result<void> set_ipv6_membership(int name, std::span<const uint8_t> value);
  Result<void> change_ip_group(bool join, uint32_t group, int index, uint32_t address);
  Result<void> change_ipv6_group(bool join, const in6_addr& group, int index);
  Result<void> leave_group(const IpAddr& group);
  bool lo_is_down(const IpAddr& a) const;
  Result<void> set_ip_option(int name, std::span<const uint8_t> value);
  Result<void> set_ipv6_option(int name, std::span<const uint8_t> value);
  Result<std::vector<uint8_t>> get_ip_option(int name, size_t max);
  Result<std::vector<uint8_t>> get_ipv6_option(int name, size_t max);

  std::vector<IpAddr> groups_;  // joined
};

}  // namespace starry
