// AF_UNIX: sending and receiving.
#include <algorithm>
#include <bit>

#include "emulated_kernel/task/user_namespace.h"
#include "netstack/sockopt.h"
#include "netstack/unix_socket.h"

namespace starry {

namespace {

constexpr size_t STREAM_MESSAGE_MAX = 64 * 1024;

// What a message counts for in the sender's buffer (sk_buff::truesize).
size_t charge_for(size_t n) {
  constexpr size_t OVERHEAD = 256, TAIL = 320, PAGE = 4096;
  if (n + TAIL <= PAGE) return OVERHEAD + std::bit_ceil(n + TAIL);
  return OVERHEAD + 512 + (n + PAGE - 1) / PAGE * PAGE;
}

}  // namespace

UnixMessage::UnixMessage(size_t size, Ref<UnixSendAccount> sender)
    : data(new uint8_t[size]), end(size), account_(std::move(sender)), charged_(charge_for(size)) {
  account_->used += charged_;
}

UnixMessage::~UnixMessage() {
  unix_note_in_flight(-static_cast<int>(files.size()));
  account_->used -= charged_;
  if (account_->owner != nullptr) account_->owner->on_room();
}

void UnixSocket::on_room() {
  if (writable()) wake(OUT_EVENTS);
}

void UnixSocket::enqueue(std::unique_ptr<UnixMessage> msg) {
  queue_.push_back(std::move(msg));
  wake(IN_EVENTS);
}

Result<std::unique_ptr<UnixMessage>> UnixSocket::make_message(SendMsg& m, size_t n, const UnixSocket& to) {
  auto msg = std::make_unique<UnixMessage>(n, account_);
  if (n > 0) {
    auto got = m.data->copy_in(msg->data.get(), n);
    if (!got.ok() || got.value() < n) return Error{EFAULT};
  }
  if (m.creds) {
    msg->creds = m.creds;
  } else if (opt.passcred || to.opt.passcred) {
    const NetCaller c = net_caller();
    msg->creds = ScmCreds{c.pid, c.uid, c.gid};
  }
  msg->files = std::move(m.files);
  m.files.clear();
  unix_note_in_flight(static_cast<int>(msg->files.size()));
  return msg;
}

Result<void> UnixSocket::wait_for_room(const SendMsg& m, Deadline d) {
  auto ready = [&] {
    return account_->used < static_cast<size_t>(opt.sndbuf) || error_ != 0 || (shutdown_ & SEND_SHUTDOWN);
  };
  if (ready()) return {};
  if (dont_wait(m.flags)) return Error{EAGAIN};
  return wait(d, ready);
}

Result<size_t> UnixSocket::send(SendMsg& m) {
  if (m.flags & MSG_OOB) return Error{EOPNOTSUPP};
  return stream() ? send_stream(m) : send_message(m);
}

Result<size_t> UnixSocket::send_stream(SendMsg& m) {
  if (m.has_name) return Error{state_ == State::connected ? EISCONN : EOPNOTSUPP};
  if (state_ != State::connected) return Error{ENOTCONN};
  const Deadline deadline = snd_deadline();
  const size_t most = std::min(STREAM_MESSAGE_MAX, static_cast<size_t>(opt.sndbuf) / 2);
  size_t done = 0;
  while (!m.data->empty()) {
    if (auto r = wait_for_room(m, deadline); !r.ok()) {
      if (done > 0) return done;
      return r.error();
    }
    if ((shutdown_ & SEND_SHUTDOWN) || peer_ == nullptr || (peer_->shutdown_ & RCV_SHUTDOWN)) {
      if (done > 0) return done;
      return broken_pipe(m.flags);
    }
    const size_t n = std::min(most, m.data->remaining());
    auto msg = make_message(m, n, *peer_);
    if (!msg.ok()) {
      if (done > 0) return done;
      return msg.error();
    }
    peer_->enqueue(std::move(msg).value());
    done += n;
  }
  return done;
}

// unix_dgram_sendmsg(): datagrams and sequenced packets, all or nothing.
Result<size_t> UnixSocket::send_message(SendMsg& m) {
  if (connection_mode() && state_ != State::connected) return Error{ENOTCONN};
  const size_t n = m.data->remaining();
  const Deadline deadline = snd_deadline();
  if (opt.passcred && name_.len == 0) TRY(autobind());
  if (n + 32 > static_cast<size_t>(opt.sndbuf)) return Error{EMSGSIZE};
  const bool named = m.has_name && !connection_mode();
  for (;;) {
    if (const int error = take_error()) return Error{error};
    if (shutdown_ & SEND_SHUTDOWN) return Error{EPIPE};
    TRY(wait_for_room(m, deadline));
    if (shutdown_ & SEND_SHUTDOWN) return Error{EPIPE};
    UnixSocket* to = named ? TRY(find(m.name)) : peer_;
    if (to == nullptr) {
      if (connection_mode()) return Error{EPIPE};
      state_ = State::unconnected;
      return Error{std::exchange(gone_peer_, std::nullopt) ? ECONNREFUSED : ENOTCONN};
    }
    if (!connection_mode() && to->peer_ != nullptr && to->peer_ != this) return Error{EPERM};
    if (to->shutdown_ & RCV_SHUTDOWN) return Error{EPIPE};
    if (to != this && to->peer_ != this && to->queue_full()) {
      if (dont_wait(m.flags)) return Error{EAGAIN};
      const Ref<UnixSocket> keep(to);
      const Wake w = wait_until(
          to->room_queue_, deadline, [&] { return !to->queue_full() || (to->shutdown_ & RCV_SHUTDOWN); },
          true);
      if (w == Wake::timeout) return Error{EAGAIN};
      if (w == Wake::signal) return Error{deadline.is_never() ? ERESTARTSYS : EINTR};
      continue;
    }
    auto msg = TRY(make_message(m, n, *to));
    msg->from = name_;
    to->enqueue(std::move(msg));
    return n;
  }
}

void UnixSocket::add_creds(RecvMsg& m, const UnixMessage& msg) const {
  if (!opt.passcred) return;
  m.control.push_back({SOL_SOCKET, SCM_CREDENTIALS,
                       opt_bytes(msg.creds.value_or(ScmCreds{0, OVERFLOW_ID, OVERFLOW_ID}).shown())});
}

void UnixSocket::after_dequeue() {
  const bool was_full = queue_full();
  queue_.pop_front();
  room_queue_.wake();
  if (connection_mode() || !was_full || queue_full()) return;
  for (UnixSocket* other : linked_to_us_) other->wake(OUT_EVENTS);  // poll() looks at our queue
}

Result<size_t> UnixSocket::recv(RecvMsg& m) {
  if (m.flags & MSG_OOB) return Error{stream() ? EINVAL : EOPNOTSUPP};  // nobody can send any
  if (m.flags & MSG_ERRQUEUE) return Error{EAGAIN};
  return stream() ? recv_stream(m) : recv_message(m);
}

// unix_stream_read_generic(). One call never mixes senders' credentials, and ends with the message
// that carried descriptors.
Result<size_t> UnixSocket::recv_stream(RecvMsg& m) {
  if (state_ != State::connected) return Error{EINVAL};
  const bool peek = m.flags & MSG_PEEK;
  const size_t wanted = m.data->remaining();
  const size_t target = std::max<size_t>(
      m.flags & MSG_WAITALL ? wanted : std::min(wanted, static_cast<size_t>(opt.rcvlowat)), 1);
  const Deadline deadline = rcv_deadline();
  size_t done = 0, index = 0;
  std::optional<std::optional<ScmCreds>> creds;
  while (done < wanted || wanted == 0) {
    if (index >= queue_.size()) {
      if (done >= target) break;
      if (done == 0) {
        if (const int error = take_error()) return Error{error};
      }
      if (shutdown_ & RCV_SHUTDOWN) break;
      if (dont_wait(m.flags)) {
        if (done > 0) break;
        return Error{EAGAIN};
      }
      auto r =
          wait(deadline, [&] { return queue_.size() > index || error_ != 0 || (shutdown_ & RCV_SHUTDOWN); });
      if (!r.ok()) {
        if (done > 0) break;
        return r.error();
      }
      continue;
    }
    UnixMessage& msg = *queue_[index];
    if (opt.passcred) {
      if (creds && *creds != msg.creds) break;
      if (!creds) add_creds(m, msg);
      creds = msg.creds;
    }
    const size_t n = std::min(wanted - done, msg.end - msg.begin);
    if (n > 0) {
      auto r = m.data->copy_out(&msg.data[msg.begin], n);
      if (!r.ok() || r.value() < n) {
        if (done > 0) break;
        return Error{EFAULT};
      }
    }
    done += n;
    const bool had_files = !msg.files.empty();
    if (peek) {
      m.files.insert(m.files.end(), msg.files.begin(), msg.files.end());
      index++;
      if (had_files) break;
      continue;
    }
    msg.begin += n;
    if (had_files) {
      unix_note_in_flight(-static_cast<int>(msg.files.size()));
      std::move(msg.files.begin(), msg.files.end(), std::back_inserter(m.files));
      msg.files.clear();
    }
    if (msg.begin < msg.end) break;
    after_dequeue();
    if (had_files || wanted == 0) break;
  }
  return done;
}

Result<size_t> UnixSocket::recv_message(RecvMsg& m) {
  if (connection_mode() && state_ != State::connected) return Error{ENOTCONN};
  if (queue_.empty()) {
    if (const int error = take_error()) return Error{error};
    if (dont_wait(m.flags)) {
      if (connection_mode() && (shutdown_ & RCV_SHUTDOWN)) return size_t{0};
      return Error{EAGAIN};
    }
    TRY(wait(
        rcv_deadline(), [&] { return !queue_.empty() || error_ != 0 || (shutdown_ & RCV_SHUTDOWN); }, true));
    if (queue_.empty()) {
      if (const int error = take_error()) return Error{error};
      return size_t{0};
    }
  }
  UnixMessage& msg = *queue_.front();
  const size_t length = msg.end;
  const size_t copied = std::min(length, m.data->remaining());
  Result<size_t> r = copied > 0 ? m.data->copy_out(msg.data.get(), copied) : Result<size_t>(size_t{0});
  if (!r.ok() || r.value() < copied) {
    if (!(m.flags & MSG_PEEK)) after_dequeue();
    return Error{EFAULT};
  }
  if (copied < length) m.out_flags |= MSG_TRUNC;
  m.name = msg.from;
  add_creds(m, msg);
  m.files = msg.files;
  if (!(m.flags & MSG_PEEK)) after_dequeue();
  return m.flags & MSG_TRUNC ? length : copied;
}

int UnixSocket::unread_bytes() {
  if (!connection_mode()) return queue_.empty() ? 0 : static_cast<int>(queue_.front()->end);
  size_t n = 0;
  for (const auto& msg : queue_) n += msg->end - msg->begin;
  return static_cast<int>(n);
}

}  // namespace starry
