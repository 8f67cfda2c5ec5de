// The inner half of `--publish HOST:GUEST`: connections and datagrams from the world outside enter the
// guests' network here. The tracer's bridge owns the host's sockets. Kernel thread only; callbacks come
// in the middle of guests' system calls and must not wait.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "netstack/datagram.h"
#include "netstack/tcp_table.h"

namespace starry {

// A TCP connection into a guest server. To the guest it comes from 127.0.0.1 (or ::1).
class PublishedTcp final : public TcpInitiator {
 public:
  struct Callbacks {
    std::function<void()> connected;
    std::function<void(int error)> failed;  // ECONNREFUSED, ETIMEDOUT; the last callback
    std::function<void()> readable;         // bytes, or the guest's end of file
    std::function<void()> writable;         // room again after a short write()
    std::function<void(int error)> reset;   // the guest reset the connection; the last callback
  };
  explicit PublishedTcp(Callbacks callbacks);
  // Closes without a reset, unless close() was called before. Must not run inside a callback.
  ~PublishedTcp();

  // Connects to the guest's `port` on 127.0.0.1, then on ::1. `connected` or `failed` may be called
  // before this returns.
  void connect(uint16_t port);
  // Bytes taken; less than asked when the guest does not read: wait for `writable`.
  size_t write(std::span<const uint8_t> data);
  // Bytes from the guest; 0: none now, or end of file if at_eof().
  size_t read(std::span<uint8_t> buffer);
  bool at_eof() const;
  void shutdown_write();  // the outside half-closed
  void close(bool reset);

  // StreamEnd, TcpInitiator
  void on_stream(uint32_t events) override;
  void on_reset(int error) override;
  void on_connected(Ref<TcpLink> link, int side) override;
  void on_connect_failed(int error) override;
  TcpLink::Start link_start() override;

 private:
  Result<void> try_connect(int family);

  Callbacks callbacks_;
  Ref<TcpLink> link_;
  int side_ = 0;
  uint16_t guest_port_ = 0;
  int family_ = AF_INET;
  Endpoint local_;
  std::unique_ptr<PortUser> port_;
};

// Datagrams of one outside client. To the guest they come from one port of 127.0.0.1 (or ::1).
class PublishedUdp {
 public:
  // `reply` gets what the guest sends back.
  PublishedUdp(uint16_t guest_port, std::function<void(std::span<const uint8_t>)> reply);
  ~PublishedUdp();
  void send(std::span<const uint8_t> data);

 private:
  class Watch;
  Ref<UdpSocket> socket_;
  std::unique_ptr<Watch> watch_;
};

}  // namespace starry
