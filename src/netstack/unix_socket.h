// AF_UNIX sockets of all three types (unix(7)). A message waits in the receiver's queue and counts
// against the sender's buffer until it is read. Descriptors in flight keep their files alive.
#pragma once

#include <deque>
#include <memory>

#include "netstack/socket.h"
#include "netstack/unix_binding.h"
#include "vfs/path.h"

namespace starry {

// Bytes of one socket that sit in other sockets' queues. Outlives the socket.
class UnixSendAccount : public RefCounted {
 public:
  size_t used = 0;
  class UnixSocket* owner = nullptr;  // null once closed
};

struct UnixMessage {
  UnixMessage(size_t size, Ref<UnixSendAccount> sender);
  ~UnixMessage();
  UnixMessage(const UnixMessage&) = delete;
  UnixMessage& operator=(const UnixMessage&) = delete;

  std::unique_ptr<uint8_t[]> data;
  size_t begin = 0, end;
  std::vector<Ref<File>> files;
  std::optional<ScmCreds> creds;  // set if anybody asked for them when it was sent
  SockAddr from;

 private:
  Ref<UnixSendAccount> account_;
  size_t charged_;
};

class UnixSocket final : public Socket {
 public:
  UnixSocket(int type, int protocol, Ref<NetNamespace> net = caller_net());
  ~UnixSocket() override;
  static void pair_up(UnixSocket& a, UnixSocket& b);

  Result<void> bind(const SockAddr& a) override;
  Result<void> listen(int backlog) override;
  Result<Ref<Socket>> accept() override;
  Result<void> connect(const SockAddr& a) override;
  Result<SockAddr> local_name() override;
  Result<SockAddr> peer_name() override;
  Result<void> shutdown(int how) override;
  Result<size_t> send(SendMsg& m) override;
  Result<size_t> recv(RecvMsg& m) override;
  uint32_t poll() override;
  int unread_bytes() override;
  int unsent_bytes() override { return static_cast<int>(account_->used); }
  bool accepting() const override { return state_ == State::listening; }

  const SockAddr& name() const { return name_; }
  enum class State : uint8_t { unconnected, listening, connected };
  State state() const { return state_; }
  const UnixSocket* peer() const { return peer_; }
  int backlog() const { return backlog_; }
  size_t pending() const { return state_ == State::listening ? accept_queue_.size() : queue_.size(); }

  // The sender's buffer got room.
  void on_room();
  // Files of messages nobody has read yet, for the collector of unreachable sockets (unix_gc.cc).
  void for_each_in_flight(const std::function<void(File&)>& fn);
  void drop_in_flight(std::vector<Ref<File>>* out);
  size_t queue_length() const { return queue_.size(); }

 protected:
  std::optional<ScmCreds> peer_creds() const override { return peer_creds_; }

 private:
  bool stream() const { return type() == SOCK_STREAM; }
  bool connection_mode() const { return type() != SOCK_DGRAM; }
  bool writable() const {
    return state_ != State::listening && account_->used * 4 <= static_cast<size_t>(opt.sndbuf);
  }
  bool queue_full() const { return queue_.size() > static_cast<size_t>(backlog_); }
  ScmCreds own_creds() const;

  Result<void> autobind();
  Result<UnixSocket*> find(const SockAddr& a) const;
  Result<void> connect_stream(const SockAddr& a);
  Result<void> connect_datagram(const SockAddr& a);
  void link_to(UnixSocket& peer);  // one direction
  void unlink_peer();

  Result<size_t> send_stream(SendMsg& m);
  Result<size_t> send_message(SendMsg& m);
  Result<void> wait_for_room(const SendMsg& m, Deadline d);
  Result<std::unique_ptr<UnixMessage>> make_message(SendMsg& m, size_t n, const UnixSocket& to);
  void enqueue(std::unique_ptr<UnixMessage> msg);
  Result<size_t> recv_stream(RecvMsg& m);
  Result<size_t> recv_message(RecvMsg& m);
  void add_creds(RecvMsg& m, const UnixMessage& msg) const;
  void after_dequeue();

  State state_ = State::unconnected;
  SockAddr name_;  // len 0: unnamed
  Path path_;      // of a pathname socket
  UnixBinding binding_{*this};
  UnixSocket* peer_ = nullptr;
  std::optional<SockAddr> gone_peer_;      // name of the peer that closed
  std::vector<UnixSocket*> linked_to_us_;  // whose peer_ we are
  std::deque<std::unique_ptr<UnixMessage>> queue_;
  std::deque<Ref<UnixSocket>> accept_queue_;
  bool embryo_ = false;   // not accepted yet
  int backlog_;           // listeners: of accept_queue_; datagrams: of queue_
  WaitQueue room_queue_;  // who waits for room in queue_ or accept_queue_
  Ref<UnixSendAccount> account_;
  std::optional<ScmCreds> peer_creds_, listen_creds_;
};

// Closes sockets that only sit in each other's queues. Called when sockets with descriptors in flight
// go away.
void unix_collect_garbage();
int unix_files_in_flight();
void unix_note_in_flight(int delta);

}  // namespace starry
