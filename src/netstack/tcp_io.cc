// TCP sockets: sending and receiving.
#include <algorithm>

#include "emulated_kernel/task/task_sched.h"
#include "netstack/tcp.h"

namespace starry {

namespace {
constexpr size_t READER_FIRST = 192 * 1024;  // bytes in flight
}  // namespace

// sk_stream_error(): a pending error goes before EPIPE.
Error TcpSocket::stream_error(int flags, int error) {
  if (error == EPIPE) {
    const int pending = take_error();
    if (pending != 0) error = pending;
  }
  return error == EPIPE ? broken_pipe(flags) : Error{error};
}

Result<void> TcpSocket::await_writable_state(const SendMsg& m) {
  for (;;) {
    const TcpState s = state();
    if (s == TcpState::established || s == TcpState::close_wait) break;
    if (const int error = take_error()) return stream_error(m.flags, error);
    if (s != TcpState::syn_sent) return stream_error(m.flags, EPIPE);
    if (dont_wait(m.flags)) return Error{EAGAIN};
    TRY(wait(snd_deadline(), [&] { return phase_ != Phase::syn_sent; }));
  }
  if (error_ != 0 || (shutdown_ & SEND_SHUTDOWN)) return stream_error(m.flags, EPIPE);
  return {};
}

Result<size_t> TcpSocket::send(SendMsg& m) {
  TRY(await_writable_state(m));
  const bool more = tcp.cork || (m.flags & MSG_MORE);
  const bool urgent = m.flags & MSG_OOB;
  const Deadline deadline = snd_deadline();
  size_t done = 0;
  while (!m.data->empty()) {
    if (error_ != 0 || (shutdown_ & SEND_SHUTDOWN) || !link_) {
      if (done > 0) return done;
      return stream_error(m.flags, EPIPE);
    }
    const size_t room = link_->room(side_);
    if (room == 0) {
      link_->want_room(side_);
      if (done > 0 && dont_wait(m.flags)) return done;
      if (dont_wait(m.flags)) return Error{EAGAIN};
      auto r = wait(deadline, [&] {
        return error_ != 0 || (shutdown_ & SEND_SHUTDOWN) || !link_ || link_->writeable(side_);
      });
      if (!r.ok()) {
        if (done > 0) return done;
        return r.error();
      }
      continue;
    }
    const size_t left = m.data->remaining();
    auto r = link_->write(side_, *m.data, std::min(room, left), more, urgent && room >= left);
    if (!r.ok()) {
      if (done > 0) return done;
      return r.error();
    }
    done += r.value();
    // What is read soon is still in the cache.
    if (link_ && link_->in_flight(side_) > READER_FIRST) cond_resched();
  }
  return done;
}

// sock_rcvlowat()
size_t TcpSocket::low_water(size_t wanted, int flags) const {
  if (!(flags & MSG_WAITALL)) wanted = std::min(wanted, static_cast<size_t>(opt.rcvlowat));
  return std::max<size_t>(wanted, 1);  // also where nothing is wanted: the call waits for data all the same
}

Result<size_t> TcpSocket::recv_urgent(RecvMsg& m) {
  if (!link_) return Error{EINVAL};
  const bool peek = m.flags & MSG_PEEK;
  auto byte = link_->read_urgent(side_, peek, opt.oobinline);
  if (!byte.ok()) return byte.error();
  m.out_flags |= MSG_OOB;
  if (m.data->empty()) {
    m.out_flags |= MSG_TRUNC;
    return size_t{0};
  }
  uint8_t b = byte.value();
  return m.data->copy_out(&b, 1);
}

// tcp_recvmsg(): data first, then end of file, then errors.
Result<size_t> TcpSocket::recv(RecvMsg& m) {
  if (phase_ == Phase::listening) return Error{ENOTCONN};
  if (m.flags & MSG_ERRQUEUE) return Error{EAGAIN};
  if (m.flags & MSG_OOB) return recv_urgent(m);
  const bool peek = m.flags & MSG_PEEK;
  const size_t wanted = m.data->remaining();
  const size_t target = low_water(wanted, m.flags);
  const Deadline deadline = rcv_deadline();
  size_t done = 0;
  for (;;) {
    if (link_ && done > 0 && link_->urgent_offset(side_) == 0u) break;  // stop at the mark
    if (link_ && !opt.oobinline && !peek) link_->skip_urgent(side_);
    const size_t offset = peek ? done : 0;
    if (readable() > offset) {
      size_t got;
      if (m.flags & MSG_TRUNC) {  // tcp(7): the bytes are dropped, not copied
        got = peek ? std::min(wanted - done, readable() - offset) : link_->discard(side_, wanted - done);
      } else {
        auto r = link_->read(side_, *m.data, wanted - done, offset, peek);
        if (!r.ok()) {
          if (done > 0) return done;
          return r.error();
        }
        got = r.value();
      }
      done += got;
      if (done >= wanted) break;
      if (got > 0) continue;
    }
    if (done >= target) break;
    const bool ended = error_ != 0 || state() == TcpState::close || (shutdown_ & RCV_SHUTDOWN);
    if (done > 0 && (ended || dont_wait(m.flags))) break;
    if (done == 0) {
      if (done_) break;
      if (const int error = take_error()) return Error{error};
      if (shutdown_ & RCV_SHUTDOWN) break;
      if (state() == TcpState::close) return Error{ENOTCONN};
      if (dont_wait(m.flags)) return Error{EAGAIN};
    }
    const size_t seen = readable();
    auto r = wait(deadline, [&] {
      return readable() > (peek ? seen : 0) || error_ != 0 || (shutdown_ & RCV_SHUTDOWN) ||
             phase_ == Phase::closed;
    });
    if (!r.ok()) {
      if (done > 0) break;
      return r.error();
    }
  }
  return done;
}

int TcpSocket::unread_bytes() { return static_cast<int>(std::min<size_t>(readable(), INT32_MAX)); }
int TcpSocket::unsent_bytes() {
  return link_ ? static_cast<int>(std::min<size_t>(link_->unsent(side_), INT32_MAX)) : 0;
}

}  // namespace starry
