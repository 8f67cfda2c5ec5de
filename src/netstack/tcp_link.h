// An established TCP connection whose two ends live in this stack: two byte queues and the rules of
// tcp(7) and RFC 9293 for closing, half-closing and resetting. What one side sends is in the other
// side's receive queue at once; "in flight" and "unacknowledged" do not exist.
#pragma once

#include <memory>
#include <optional>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/sync/timer.h"
#include "netstack/byte_queue.h"
#include "netstack/ports.h"
#include "netstack/sockaddr.h"

namespace starry {

// Numbers as in tcp_info and /proc/net/tcp.
enum class TcpState : uint8_t {
  established = 1,
  syn_sent,
  syn_recv,
  fin_wait1,
  fin_wait2,
  time_wait,
  close,
  close_wait,
  last_ack,
  listen,
  closing,
};

// Who is at one end: a socket, or the world outside (publish.h).
class StreamEnd {
 public:
  // Data, room or a FIN arrived; EPOLL* bits.
  virtual void on_stream(uint32_t events) = 0;
  // The connection is gone; `error` is ECONNRESET or EPIPE.
  virtual void on_reset(int error) = 0;

 protected:
  ~StreamEnd() = default;
};

class TcpLink final : public RefCounted {
 public:
  struct Start {
    StreamEnd* end;
    Endpoint addr;
    std::unique_ptr<PortUser> port;
    uint32_t uid = 0;
    uint64_t ino = 0;
    int family = AF_INET;
  };
  // Two sides, or one that is connected to itself (`server.end` null).
  TcpLink(Start client, Start server);
  ~TcpLink() override;

  static constexpr int CLIENT = 0, SERVER = 1;
  static constexpr size_t MSS = 65483;  // of Linux's lo: 64 KiB less headers and timestamps

  TcpState state(int s) const;
  const Endpoint& addr(int s) const { return sides_[s].addr; }
  const Endpoint& peer_addr(int s) const { return peer(s).addr; }
  PortUser* port(int s) { return sides_[s].port.get(); }
  uint32_t uid(int s) const { return sides_[s].uid; }
  uint64_t ino(int s) const { return sides_[s].end != nullptr ? sides_[s].ino : 0; }
  int family(int s) const { return sides_[s].family; }
  void set_family(int s, int family) { sides_[s].family = family; }
  bool is_self() const { return self_; }

  // How many bytes side s may have outstanding: its send buffer and the peer's receive buffer.
  void set_limits(int s, size_t send, size_t receive);
  size_t room(int s) const;     // how much side s can write now
  bool writeable(int s) const;  // at least a third of the buffer is free, as poll(2) wants it
  void want_room(int s) { sides_[s].starved = true; }  // SOCK_NOSPACE: tell me when writeable
  size_t unread(int s) const;                          // readable by side s
  size_t in_flight(int s) const { return peer(s).in.size(); }
  size_t unsent(int s) const;  // beyond the peer's receive buffer (SIOCOUTQ)
  bool fin_received(int s) const { return peer(s).fin; }
  bool fin_sent(int s) const { return sides_[s].fin; }
  uint64_t bytes_sent(int s) const { return sides_[s].sent; }
  uint64_t bytes_received(int s) const { return peer(s).sent; }

  // Sends up to n bytes. `more`: MSG_MORE or TCP_CORK, keep a partial segment back. `urgent`: the last
  // byte is out-of-band. May reset the connection (peer no longer reads), after which the call still
  // counts as a success, as on Linux where the RST comes back later.
  Result<size_t> write(int s, IoVec& from, size_t n, bool more, bool urgent);
  void push(int s);  // sends what `more` kept back
  // Takes (or looks at) received bytes; stops at the out-of-band byte.
  Result<size_t> read(int s, IoVec& to, size_t n, size_t offset, bool peek);
  size_t discard(int s, size_t n);  // MSG_TRUNC

  // Out-of-band data (tcp(7)). nullopt: none announced, or taken already.
  std::optional<uint64_t> urgent_offset(int s) const;  // distance of the mark from the next byte
  Result<uint8_t> read_urgent(int s, bool peek, bool is_inline);
  void skip_urgent(int s);  // at the mark: jump over the byte

  void shut_read(int s) { sides_[s].shut_read = true; }
  void send_fin(int s);
  void send_reset(int s);
  // close(2): a reset if `abort` or there are unread bytes, else a FIN. The end is forgotten.
  void close(int s, bool abort);

 private:
  struct Side {
    StreamEnd* end = nullptr;  // null once closed
    Endpoint addr;
    std::unique_ptr<PortUser> port;
    uint32_t uid = 0;
    uint64_t ino = 0;
    int family = AF_INET;
    ByteQueue in;
    size_t held = 0;  // bytes at the end of `in` that the peer keeps back
    size_t send_limit = 0, recv_limit = 0;
    uint64_t taken = 0;  // bytes removed from `in` since the start
    uint64_t sent = 0;
    bool fin = false;  // has sent one
    bool shut_read = false;
    bool starved = false;
    std::optional<uint64_t> urgent;  // position in `in`, counted as `taken`
    bool urgent_taken = false;
    std::unique_ptr<Timer> push_timer;
  };
  const Side& peer(int s) const { return sides_[self_ ? s : 1 - s]; }
  Side& peer(int s) { return sides_[self_ ? s : 1 - s]; }
  int peer_index(int s) const { return self_ ? s : 1 - s; }
  size_t limit(int s) const { return sides_[s].send_limit + peer(s).recv_limit; }
  void hold(int s, size_t n);
  void consumed(int s, size_t n);
  void tell(int s, uint32_t events);
  void reset_side(int s);
  void finish();  // leaves the tables

  Side sides_[2];
  bool self_;
  bool reset_ = false, finished_ = false;
  int first_closer_ = -1;  // who sent the first FIN: goes to TIME_WAIT
};

}  // namespace starry
