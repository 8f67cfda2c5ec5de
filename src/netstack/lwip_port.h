// lwIP, driven by its raw API on the kernel thread only: no lwIP threads, no tcpip_init(). It has one
// interface, a private `lo` whose packets come back through a queue that is drained before the call
// that caused them returns. So every exchange on it (SYN, SYN-ACK, ACK; datagram, port unreachable) is
// over when the system call looks at the result. Addresses, ports, handshakes, refusals, datagrams and
// ICMP are lwIP's. An established TCP connection leaves lwIP at once: both of its ends are in this
// stack and hand their bytes over directly (tcp_link.h), at memory speed and with Linux's rules.
//
// Everything that includes lwIP's headers is in lwip_*.cc.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "emulated_kernel/base/result.h"
#include "netstack/sockaddr.h"

namespace starry::lwip {

// What lwIP asks of and tells the socket layer. Set once, before init().
struct Datagram {
  Endpoint from, to;
  uint8_t ttl = 64, tos = 0;
  std::span<const uint8_t> data;  // valid during the call
};
struct Hooks {
  // A SYN arrived for a listening port: false drops it (full accept queue), and the peer tries again.
  bool (*syn)(const Endpoint& server, const Endpoint& client);
  // A handshake is complete on both sides.
  void (*established)(const Endpoint& server, const Endpoint& client);
  // False: nobody there, lwIP answers with "port unreachable".
  bool (*datagram)(const Datagram&);
  // A datagram sent from `from` to `to` could not be delivered.
  void (*unreachable)(const Endpoint& from, const Endpoint& to, int error);
  // An ICMP echo reply for the ping socket with this identifier.
  void (*echo_reply)(const IpAddr& from, uint16_t id, std::span<const uint8_t> icmp, uint8_t ttl);
};
void init(const Hooks& hooks);

// An active open. Destroying it abandons the attempt.
class TcpOpen {
 public:
  // `failed` gets ECONNREFUSED or ETIMEDOUT; success is reported by Hooks::established. It may destroy
  // this object.
  explicit TcpOpen(std::function<void(int error)> failed);
  ~TcpOpen();
  // Sends the SYN from `local` (complete) to `remote`. All that follows on loopback has happened when
  // this returns. `syn_retries` as net.ipv4.tcp_syn_retries.
  Result<void> start(const Endpoint& local, const Endpoint& remote, int syn_retries);

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

// A listening port. IPv6 :: without v6only takes IPv4 too. Listeners on the same address share one.
class TcpListen {
 public:
  TcpListen() = default;
  ~TcpListen() { close(); }
  TcpListen(const TcpListen&) = delete;
  TcpListen& operator=(const TcpListen&) = delete;
  Result<void> open(const Endpoint& local, bool v6only);
  void close();

  using Key = std::pair<Endpoint, bool>;
  struct Shared;

 private:
  Shared* shared_ = nullptr;
};

// A UDP port on all addresses of both families; sockets on the same port share one.
class UdpPort {
 public:
  UdpPort() = default;
  ~UdpPort() { close(); }
  UdpPort(const UdpPort&) = delete;
  UdpPort& operator=(const UdpPort&) = delete;
  Result<void> open(uint16_t port);
  void close();

 private:
  uint16_t port_ = 0;
};

Result<void> send_datagram(const Datagram& d);
// Sends an ICMP or ICMPv6 echo request as given (checksum filled in here).
Result<void> send_echo(const IpAddr& to, std::span<const uint8_t> icmp);

// Packets and bytes that went through lo, for /proc/net/dev.
struct LoCounters {
  uint64_t packets = 0, bytes = 0;
};
const LoCounters& lo_counters();
// Connections hand data over without packets; they are counted as if they had not.
void count_lo_bytes(size_t n);

}  // namespace starry::lwip
