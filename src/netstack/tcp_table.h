// All TCP endpoints of the stack by address: listeners, opens in progress, connections and TIME_WAIT.
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "netstack/lwip_port.h"
#include "netstack/tcp_link.h"

namespace starry {

class TcpSocket;

// The active side of a connection that is being opened: a socket or publish.cc's outside end.
class TcpInitiator : public StreamEnd {
 public:
  virtual void on_connected(Ref<TcpLink> link, int side) = 0;
  virtual void on_connect_failed(int error) = 0;
  virtual TcpLink::Start link_start() = 0;  // hands over the port

 protected:
  ~TcpInitiator();
  // Sends the SYN. `local` must be complete. On loopback the outcome has usually been reported when
  // this returns; a full accept queue makes it take longer.
  Result<void> start_connect(const Endpoint& local, const Endpoint& remote, int syn_retries);
  void cancel_connect();
  bool connecting() const { return open_ != nullptr; }

 private:
  friend class TcpTable;
  std::unique_ptr<lwip::TcpOpen> open_;
  std::pair<Endpoint, Endpoint> key_;
};

inline constexpr uint64_t SECOND_NS = 1000000000;
inline constexpr uint64_t TIME_WAIT_NS = 60 * SECOND_NS;  // TCP_TIMEWAIT_LEN

class TcpTable {
 public:
  using Pair = std::pair<Endpoint, Endpoint>;  // local, remote

  void add(TcpLink& link);
  void remove(TcpLink& link);
  void add_time_wait(const Endpoint& local, const Endpoint& remote, std::unique_ptr<PortUser> port);
  void expire_time_wait();
  // May a new connection use this pair? net.ipv4.tcp_tw_reuse: TIME_WAIT on loopback blocks for 1 s.
  bool pair_free(const Endpoint& local, const Endpoint& remote);

  void add_listener(TcpSocket& s);
  void remove_listener(TcpSocket& s);
  // The listener that a SYN is for, by Linux's scoring; SO_REUSEPORT groups by hash.
  TcpSocket* find_listener(const Endpoint& server, const Endpoint& client) const;

  // Hooks of the handshake.
  bool on_syn(const Endpoint& server, const Endpoint& client) const;
  void on_established(const Endpoint& server, const Endpoint& client);

  struct TimeWait {
    Pair pair;
    std::unique_ptr<PortUser> port;
    uint64_t since_ns;
  };
  const std::deque<TimeWait>& time_wait() const { return time_wait_; }
  const std::unordered_map<Pair, TcpLink*, EndpointPairHash>& connections() const { return connections_; }

 private:
  friend class TcpInitiator;
  std::unordered_map<Pair, TcpLink*, EndpointPairHash> connections_;
  std::unordered_map<Pair, TcpInitiator*, EndpointPairHash> opening_;  // client, server
  std::unordered_map<uint16_t, std::vector<TcpSocket*>> listeners_;
  std::deque<TimeWait> time_wait_;  // oldest first
  std::unordered_map<Pair, uint64_t, EndpointPairHash> time_wait_since_;
};

TcpTable& tcp_table();

}  // namespace starry
