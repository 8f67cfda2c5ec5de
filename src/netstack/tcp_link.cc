#include "netstack/tcp_link.h"

#include <sys/epoll.h>

#include <algorithm>

#include "emulated_kernel/platform.h"
#include "netstack/lwip_port.h"
#include "netstack/tcp_table.h"

namespace starry {

namespace {
constexpr uint64_t CORK_LIMIT_NS = 200ULL * 1000 * 1000;  // tcp(7), TCP_CORK
}  // namespace

TcpLink::TcpLink(Start client, Start server) : self_(server.end == nullptr) {
  auto fill = [](Side& side, Start& start) {
    side.end = start.end;
    side.addr = start.addr;
    side.port = std::move(start.port);
    side.uid = start.uid;
    side.ino = start.ino;
    side.family = start.family;
  };
  fill(sides_[CLIENT], client);
  if (!self_) fill(sides_[SERVER], server);
  tcp_table().add(*this);
}

TcpLink::~TcpLink() { finish(); }

TcpState TcpLink::state(int s) const {
  const bool mine = sides_[s].fin, theirs = peer(s).fin;
  if (reset_ || (mine && theirs)) return TcpState::close;
  if (mine) return TcpState::fin_wait2;
  return theirs ? TcpState::close_wait : TcpState::established;
}

void TcpLink::set_limits(int s, size_t send, size_t receive) {
  sides_[s].send_limit = send;
  sides_[s].recv_limit = receive;
}

size_t TcpLink::room(int s) const {
  const size_t used = peer(s).in.size(), all = limit(s);
  return used < all ? all - used : 0;
}

bool TcpLink::writeable(int s) const { return peer(s).in.size() <= limit(s) / 3 * 2; }
size_t TcpLink::unread(int s) const { return sides_[s].in.size() - sides_[s].held; }

size_t TcpLink::unsent(int s) const {
  const Side& to = peer(s);
  return to.held + (unread(peer_index(s)) > to.recv_limit ? unread(peer_index(s)) - to.recv_limit : 0);
}

void TcpLink::tell(int s, uint32_t events) {
  if (sides_[s].end != nullptr) sides_[s].end->on_stream(events);
}

Result<size_t> TcpLink::write(int s, IoVec& from, size_t n, bool more, bool urgent) {
  Side& to = peer(s);
  const int to_index = peer_index(s);
  // Data for a side that has closed, or shut down both directions, is answered with a reset
  // (tcp_rcv_state_process() in FIN_WAIT_2).
  if (to.fin && (to.end == nullptr || to.shut_read)) {
    const Ref<TcpLink> keep(this);
    from.advance(std::min(n, from.remaining()));
    reset_ = true;
    reset_side(to_index);
    reset_side(s);
    finish();
    return n;
  }
  const bool had_data = unread(to_index) > 0;
  const size_t done = TRY(to.in.append(from, n));
  sides_[s].sent += done;
  lwip::count_lo_bytes(done);
  if (urgent && done == n) {
    to.urgent = to.taken + to.in.size() - 1;
    to.urgent_taken = false;
  }
  if (more && !urgent)
    hold(s, done);
  else
    push(s);
  if (unread(to_index) > 0 || !had_data) tell(to_index, IN_EVENTS | (urgent ? EPOLLPRI : 0u));
  return done;
}

// Full segments go out; the rest waits for more, at most 200 ms.
void TcpLink::hold(int s, size_t n) {
  Side& to = peer(s);
  to.held = (to.held + n) % MSS;
  if (to.held == 0) return;
  if (!to.push_timer) to.push_timer = std::make_unique<Timer>([this, s] { push(s); });
  if (!to.push_timer->armed()) to.push_timer->arm(platform().monotonic_ns() + CORK_LIMIT_NS);
}

void TcpLink::push(int s) {
  Side& to = peer(s);
  if (to.push_timer) to.push_timer->disarm();
  if (to.held == 0) return;
  to.held = 0;
  tell(peer_index(s), IN_EVENTS);
}

Result<size_t> TcpLink::read(int s, IoVec& to, size_t n, size_t offset, bool peek) {
  Side& me = sides_[s];
  n = std::min(n, unread(s) - std::min(unread(s), offset));
  if (const auto mark = urgent_offset(s); mark && *mark > offset) n = std::min(n, *mark - offset);
  const size_t done = TRY(me.in.copy_to(to, n, offset));
  if (!peek) consumed(s, done);
  return done;
}

size_t TcpLink::discard(int s, size_t n) {
  n = std::min(n, unread(s));
  if (const auto mark = urgent_offset(s); mark && *mark > 0) n = std::min<size_t>(n, *mark);
  consumed(s, n);
  return n;
}

void TcpLink::consumed(int s, size_t n) {
  Side& me = sides_[s];
  me.in.consume(n);
  me.taken += n;
  if (me.urgent && *me.urgent < me.taken) me.urgent.reset();
  const int from = peer_index(s);
  if (sides_[from].starved && writeable(from)) {
    sides_[from].starved = false;
    tell(from, OUT_EVENTS);
  }
}

std::optional<uint64_t> TcpLink::urgent_offset(int s) const {
  const Side& me = sides_[s];
  if (!me.urgent || *me.urgent < me.taken) return std::nullopt;
  return *me.urgent - me.taken;
}

Result<uint8_t> TcpLink::read_urgent(int s, bool peek, bool is_inline) {
  Side& me = sides_[s];
  if (!me.urgent || me.urgent_taken || is_inline) return Error{EINVAL};
  uint8_t byte = 0;
  IoVec to = IoVec::kernel(&byte, 1);
  TRY(me.in.copy_to(to, 1, *me.urgent - me.taken));
  if (!peek) me.urgent_taken = true;
  return byte;
}

void TcpLink::skip_urgent(int s) {
  if (urgent_offset(s) == 0u) consumed(s, 1);
}

void TcpLink::send_fin(int s) {
  Side& me = sides_[s];
  if (me.fin || reset_) return;
  push(s);
  me.fin = true;
  if (first_closer_ < 0) first_closer_ = s;
  const bool both = peer(s).fin;
  if (both) finish();
  tell(peer_index(s), IN_EVENTS | EPOLLRDHUP | (both ? static_cast<uint32_t>(EPOLLHUP) | OUT_EVENTS : 0u));
}

void TcpLink::reset_side(int s) {
  // tcp_reset(): which error depends on whether the peer had said goodbye before.
  const int error = peer(s).fin ? EPIPE : ECONNRESET;
  if (sides_[s].end != nullptr) sides_[s].end->on_reset(error);
}

void TcpLink::send_reset(int s) {
  if (state(s) == TcpState::close) return;
  const Ref<TcpLink> keep(this);
  const int other = peer_index(s);
  reset_ = true;
  finish();
  if (!self_) reset_side(other);
}

void TcpLink::close(int s, bool abort) {
  const Ref<TcpLink> keep(this);
  Side& me = sides_[s];
  if (abort || unread(s) > 0) send_reset(s);
  me.end = nullptr;
  me.shut_read = true;
  me.in.clear();
  me.held = 0;
  if (me.push_timer) me.push_timer->disarm();
  send_fin(s);
}

void TcpLink::finish() {
  if (finished_) return;
  finished_ = true;
  tcp_table().remove(*this);
  for (int s : {CLIENT, SERVER}) {
    Side& side = sides_[s];
    if (!reset_ && s == first_closer_ && side.port)
      tcp_table().add_time_wait(side.addr, peer(s).addr, std::move(side.port));
  }
}

}  // namespace starry
