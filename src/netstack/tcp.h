// TCP sockets (tcp(7)): the calls, their blocking and their errors. The bytes are in tcp_link.h, the
// handshake in lwip_tcp.cc.
#pragma once

#include <deque>

#include "netstack/inet_socket.h"
#include "netstack/tcp_table.h"

namespace starry {

struct TcpOptions {
  bool nodelay = false, cork = false, quickack = true;
  int keepidle = 7200, keepintvl = 75, keepcnt = 9, syncnt = 0, linger2 = 0, defer_accept = 0;
  int user_timeout = 0, window_clamp = 0, maxseg = 0, notsent_lowat = 0, fastopen = 0;
  bool fastopen_connect = false, save_syn = false, inq = false, thin_linear = false;
  std::string congestion = "cubic";
};

inline constexpr int SYN_RETRIES = 6;  // net.ipv4.tcp_syn_retries

class TcpSocket final : public InetSocket, public TcpInitiator {
 public:
  explicit TcpSocket(int family, const Ref<NetNamespace>& net = caller_net());
  ~TcpSocket() override;

  Result<void> listen(int backlog) override;
  Result<Ref<Socket>> accept() override;
  Result<void> connect(const SockAddr& a) override;
  Result<void> shutdown(int how) override;
  Result<size_t> send(SendMsg& m) override;
  Result<size_t> recv(RecvMsg& m) override;
  uint32_t poll() override;
  int unread_bytes() override;
  int unsent_bytes() override;
  bool accepting() const override { return state() == TcpState::listen; }
  bool at_oob_mark() override { return link_ && link_->urgent_offset(side_) == 0u; }
  // SIOCINQ and SIOCOUTQ are EINVAL on listeners.

  TcpState state() const;
  size_t accept_queue_length() const { return accept_queue_.size(); }
  int backlog() const { return backlog_; }
  bool accept_queue_full() const { return accept_queue_.size() > static_cast<size_t>(backlog_); }

  // Used by the handshake (tcp_table.cc).
  Ref<TcpSocket> make_child();
  TcpLink::Start link_start_for(const Endpoint& server);
  void enqueue(Ref<TcpSocket> child);
  TcpLink::Start link_start() override;
  void on_connected(Ref<TcpLink> link, int side) override;
  void on_connect_failed(int error) override;
  void on_stream(uint32_t events) override;
  void on_reset(int error) override;

  TcpOptions tcp;

 protected:
  bool may_bind() const override { return local_.port == 0 && phase_ == Phase::closed; }
  bool connected() const override;
  bool established() const override { return state() == TcpState::established; }
  void become_ipv4() override;
  Result<void> set_protocol_option(int name, std::span<const uint8_t> value) override;
  Result<std::vector<uint8_t>> get_protocol_option(int name, size_t max) override;
  void options_changed() override;

 private:
  enum class Phase : uint8_t { closed, listening, syn_sent, linked };
  // connect(2)'s own progress (socket_state in Linux): what the next connect() says.
  enum class Progress : uint8_t { unconnected, connecting, connected };

  Result<void> begin_connect(Endpoint to);
  Result<void> wait_connected();
  Result<void> await_writable_state(const SendMsg& m);  // sk_stream_wait_connect()
  void stop_listening();
  Result<void> disconnect();
  Result<size_t> recv_urgent(RecvMsg& m);
  size_t readable() const { return link_ ? link_->unread(side_) : 0; }
  size_t low_water(size_t wanted, int flags) const;
  Error stream_error(int flags, int error);
  std::vector<uint8_t> info() const;  // TCP_INFO
  void apply_limits();

  Phase phase_ = Phase::closed;
  Progress progress_ = Progress::unconnected;
  Ref<TcpLink> link_;
  int side_ = 0;
  std::unique_ptr<lwip::TcpListen> lwip_listen_;
  std::deque<Ref<TcpSocket>> accept_queue_;
  int backlog_ = 0;
  bool done_ = false;  // SOCK_DONE: a FIN was seen before anything worse
};

}  // namespace starry
