// NETLINK_ROUTE and NETLINK_SOCK_DIAG sockets (netlink(7), rtnetlink(7), sock_diag(7)): enough for
// getifaddrs(3), ip(8) and ss(8). There is one interface, lo; requests to change something are refused.
#pragma once

#include <deque>

#include "netstack/socket.h"

struct nlmsghdr;

namespace starry {

class NetlinkSocket final : public Socket {
 public:
  NetlinkSocket(int type, int protocol) : Socket(AF_NETLINK, type, protocol) {}
  ~NetlinkSocket() override;

  Result<void> bind(const SockAddr& a) override;
  Result<void> connect(const SockAddr& a) override;
  Result<SockAddr> local_name() override;
  Result<SockAddr> peer_name() override;
  Result<size_t> send(SendMsg& m) override;
  Result<size_t> recv(RecvMsg& m) override;
  uint32_t poll() override;
  Result<void> set_option(int level, int name, std::span<const uint8_t> value) override;
  Result<std::vector<uint8_t>> get_option(int level, int name, size_t max) override;
  // A datagram from the kernel: the cookie of mq_notify(2).
  void deliver(std::vector<uint8_t> datagram);
  uint32_t port_id() const { return port_id_; }
  uint32_t groups() const { return groups_; }

 private:
  void autobind();
  bool claim(uint32_t id);
  void handle(const nlmsghdr& request, std::span<const uint8_t> payload);
  int answer(const nlmsghdr& request, std::span<const uint8_t> payload);

  uint32_t port_id_ = 0, groups_ = 0;
  uint32_t flag_options_ = 0;  // NETLINK_PKTINFO, NETLINK_EXT_ACK, ... by number
  std::deque<std::vector<uint8_t>> replies_;
};

// The answers of rtnetlink (rtnetlink.cc). Each reply is one datagram.
struct NetlinkReplies {
  std::deque<std::vector<uint8_t>>& out;
  uint32_t seq, port_id;
  const NetNamespace& net;  // of the socket that asks
};
// False: unknown request.
bool rtnetlink_dump(const nlmsghdr& request, std::span<const uint8_t> payload, NetlinkReplies& r);
// A request about one object. errno, or 0 if it was answered.
int rtnetlink_get(const nlmsghdr& request, std::span<const uint8_t> payload, NetlinkReplies& r);
// The answer of sock_diag.cc to a dump request. errno, or 0.
int sock_diag_dump(std::span<const uint8_t> payload, NetlinkReplies& r);
// The same for a request about one socket, of AF_UNIX only.
int sock_diag_get(std::span<const uint8_t> payload, NetlinkReplies& r);

}  // namespace starry
