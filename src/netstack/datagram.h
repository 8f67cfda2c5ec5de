// UDP sockets (udp(7)) and ping sockets (icmp(7)): a queue of datagrams in front of lwIP.
#pragma once

#include <deque>

#include "netstack/inet_socket.h"
#include "netstack/lwip_port.h"

namespace starry {

class InetDatagramSocket : public InetSocket {
 public:
  InetDatagramSocket(int family, int protocol, PortTable& ports)
      : InetSocket(family, SOCK_DGRAM, protocol, ports, caller_net()) {}

  Result<void> connect(const SockAddr& a) override;
  Result<void> shutdown(int how) override;
  Result<size_t> recv(RecvMsg& m) override;
  uint32_t poll() override;
  int unread_bytes() override;

  // A datagram for this socket arrived; dropped if the receive buffer is full.
  void deliver(const lwip::Datagram& d);
  // An earlier datagram to `to` came to nothing.
  void undeliverable(const Endpoint& to, int error);
  size_t queued_bytes() const { return queued_; }
  uint64_t drops() const { return drops_; }
  bool connected() const override { return remote_set_; }

 protected:
  // What the next datagram is sent with: from socket options, overridden by ancillary data.
  struct Route {
    Endpoint to, from;
    uint8_t ttl = 64, tos = 0;
  };
  Result<Route> route(const SendMsg& m);
  virtual Result<Endpoint> parse_destination(const SockAddr& a) const;

 private:
  struct Packet {
    Endpoint from, to;
    uint8_t ttl, tos;
    uint64_t realtime_ns;
    std::vector<uint8_t> data;
  };
  struct QueuedError {
    Endpoint to;
    int error;
  };
  Result<void> apply_control(const SendMsg& m, Route* r) const;
  Result<size_t> recv_error(RecvMsg& m);
  void add_packet_info(RecvMsg& m, const Packet& p) const;

  std::deque<Packet> packets_;
  std::deque<QueuedError> errors_;
  size_t queued_ = 0;  // as Linux accounts it, with overhead
  uint64_t drops_ = 0;
  bool remote_set_ = false;
};

class UdpSocket final : public InetDatagramSocket {
 public:
  explicit UdpSocket(int family);
  ~UdpSocket() override;
  Result<size_t> send(SendMsg& m) override;

  // The socket on `local` that talks to `remote`, by Linux's scoring; nullptr: port unreachable.
  static UdpSocket* find(const Endpoint& local, const Endpoint& remote);
  // Whether a datagram with these addresses may be for this socket.
  bool accepts(const Endpoint& to, const Endpoint& from) const;

 protected:
  Result<void> after_bind() override;
  Result<void> set_protocol_option(int name, std::span<const uint8_t> value) override;
  Result<std::vector<uint8_t>> get_protocol_option(int name, size_t max) override;

 private:
  Result<void> transmit(const Route& r, std::span<const uint8_t> data);
  static const std::vector<UdpSocket*>& on_port(uint16_t port);
  static void deliver_to_group(const lwip::Datagram& d);

  lwip::UdpPort lwip_port_;
  uint16_t registered_port_ = 0;
  bool cork_ = false;
  std::vector<uint8_t> corked_;
  std::optional<Route> corked_route_;
};

// socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP): the kernel fills in the identifier, replies come back.
class PingSocket final : public InetDatagramSocket {
 public:
  PingSocket(int family, int protocol);
  Result<size_t> send(SendMsg& m) override;
  static PingSocket* find(int family, uint16_t id);
};

}  // namespace starry
