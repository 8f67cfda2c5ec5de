// TCP sockets: life cycle. Sending and receiving are in tcp_io.cc.
#include <algorithm>

#include "emulated_kernel/base/log.h"
#include "netstack/tcp.h"

namespace starry {

namespace {
constexpr int SNDBUF_INITIAL = 16384, RCVBUF_INITIAL = 131072;  // net.ipv4.tcp_{w,r}mem
constexpr int SNDBUF_TUNED = 2626560;                           // what auto-tuning makes of it on lo
}  // namespace

TcpSocket::TcpSocket(int family, const Ref<NetNamespace>& net)
    : InetSocket(family, SOCK_STREAM, IPPROTO_TCP, net->tcp_ports(), net) {
  opt.sndbuf = SNDBUF_INITIAL;
  opt.rcvbuf = RCVBUF_INITIAL;
}

// tcp_close(): unread data or SO_LINGER with time 0 mean a reset, else a FIN. There is nothing to
// linger for: what was written is in the peer's receive queue already.
TcpSocket::~TcpSocket() {
  if (phase_ == Phase::listening) stop_listening();
  if (link_) link_->close(side_, opt.linger_on && opt.linger_seconds == 0);
}

TcpState TcpSocket::state() const {
  switch (phase_) {
    case Phase::closed:
      return TcpState::close;
    case Phase::listening:
      return TcpState::listen;
    case Phase::syn_sent:
      return TcpState::syn_sent;
    case Phase::linked:
      return link_->state(side_);
  }
  __builtin_unreachable();
}

bool TcpSocket::connected() const {
  const TcpState s = state();
  return s != TcpState::close && s != TcpState::syn_sent && s != TcpState::listen;
}

void TcpSocket::become_ipv4() {
  InetSocket::become_ipv4();
  link_->set_family(side_, AF_INET);
}

void TcpSocket::options_changed() {
  InetSocket::options_changed();
  if (!link_) return;
  if (PortUser* p = link_->port(side_)) {
    p->reuseaddr = opt.reuseaddr;
    p->reuseport = opt.reuseport;
  }
  apply_limits();
  if (!tcp.cork) link_->push(side_);
}

void TcpSocket::apply_limits() {
  if (!opt.sndbuf_locked) opt.sndbuf = std::max(opt.sndbuf, SNDBUF_TUNED);
  link_->set_limits(side_, static_cast<size_t>(opt.sndbuf), static_cast<size_t>(opt.rcvbuf));
}

// --- Listening ---

Result<void> TcpSocket::listen(int backlog) {
  if (phase_ != Phase::closed && phase_ != Phase::listening) return Error{EINVAL};
  if (progress_ != Progress::unconnected) return Error{EINVAL};
  backlog_ =
      static_cast<int>(std::min(static_cast<unsigned>(backlog), static_cast<unsigned>(SOMAXCONN_SYSCTL)));
  if (phase_ == Phase::listening) return {};
  const bool automatic = local_.port == 0;
  if (automatic && !bind_ephemeral().ok()) return Error{EADDRINUSE};
  port_->listening = true;
  // Two SO_REUSEADDR sockets may be bound to one port, but only one may listen.
  auto open_lwip = [&]() -> Result<void> {
    if (ports_.conflicts(*port_, local_.port)) return Error{EADDRINUSE};
    if (!net().initial) return {};  // nobody can come
    lwip_listen_ = std::make_unique<lwip::TcpListen>();
    return lwip_listen_->open(local_, ip.v6only);
  };
  auto r = open_lwip();
  if (!r.ok()) {
    lwip_listen_.reset();
    port_->listening = false;
    return r;
  }
  phase_ = Phase::listening;
  shutdown_ = 0;
  if (net().initial) tcp_table().add_listener(*this);
  return {};
}

void TcpSocket::stop_listening() {
  tcp_table().remove_listener(*this);
  lwip_listen_.reset();
  phase_ = Phase::closed;
  backlog_ = 0;
  // Connections that nobody accepted are reset (inet_csk_listen_stop()).
  auto orphans = std::move(accept_queue_);
  accept_queue_.clear();
  for (const auto& child : orphans) child->link_->send_reset(child->side_);
}

Ref<TcpSocket> TcpSocket::make_child() {
  auto child = make_ref<TcpSocket>(family(), Ref<NetNamespace>(&net()));
  child->opt = opt;
  child->ip = ip;
  child->tcp = tcp;
  return child;
}

TcpLink::Start TcpSocket::link_start_for(const Endpoint& server) {
  auto user = new_port_user(server.ip);
  ports_.adopt(*user, server.port);
  local_ = server;
  return {this, server, std::move(user), owner().euid, ino(), family()};
}

void TcpSocket::enqueue(Ref<TcpSocket> child) {
  accept_queue_.push_back(std::move(child));
  wake(IN_EVENTS);
}

Result<Ref<Socket>> TcpSocket::accept() {
  if (phase_ != Phase::listening) return Error{EINVAL};
  if (accept_queue_.empty()) {
    if (nonblocking()) return Error{EAGAIN};
    TRY(wait(
        rcv_deadline(), [&] { return !accept_queue_.empty() || phase_ != Phase::listening; }, true));
    if (phase_ != Phase::listening) return Error{EINVAL};
  }
  Ref<TcpSocket> child = std::move(accept_queue_.front());
  accept_queue_.pop_front();
  return Ref<Socket>(std::move(child));
}

// --- Connecting ---

Result<void> TcpSocket::connect(const SockAddr& a) {
  if (a.len < sizeof(sa_family_t)) return Error{EINVAL};
  if (a.family() == AF_UNSPEC) return disconnect();
  switch (progress_) {
    case Progress::connected:
      return Error{EISCONN};
    case Progress::unconnected:
      if (phase_ != Phase::closed) return Error{EISCONN};
      {
        const Endpoint to = TRY(endpoint_from(a, family()));
        TRY(begin_connect(to));
        progress_ = Progress::connecting;
      }
      // The answer is in already, but a non-blocking caller learns it from SO_ERROR, as on Linux.
      if (nonblocking()) return Error{EINPROGRESS};
      break;
    case Progress::connecting:
      if (phase_ == Phase::syn_sent && nonblocking()) return Error{EALREADY};
      break;
  }
  return wait_connected();
}

Result<void> TcpSocket::wait_connected() {
  if (phase_ == Phase::syn_sent) {
    auto r = wait(snd_deadline(), [&] { return phase_ != Phase::syn_sent; });
    if (!r.ok()) return r.code() == EAGAIN ? Error{EINPROGRESS} : r.error();  // SO_SNDTIMEO
  }
  if (state() == TcpState::close && !done_) {
    progress_ = Progress::unconnected;
    shutdown_ = 0;
    const int error = take_error();
    return Error{error != 0 ? error : ECONNABORTED};
  }
  progress_ = Progress::connected;
  return {};
}

Result<void> TcpSocket::begin_connect(Endpoint to) {
  to = TRY(resolve_remote(to));
  if (to.ip.is_broadcast()) return Error{ENETUNREACH};
  const IpAddr source = TRY(source_for(to.ip));
  if (local_.port == 0) {
    auto user = new_port_user(source);
    TRY(ports_.bind_for_connect(*user, [&](uint16_t p) {
      return tcp_table().pair_free({source, p}, to) && !(to == Endpoint{source, p});
    }));
    port_ = std::move(user);
    local_.port = port_->port;
  } else if (!tcp_table().pair_free({source, local_.port}, to)) {
    return Error{EADDRNOTAVAIL};
  }
  local_.ip = port_->ip = source;
  remote_ = to;
  phase_ = Phase::syn_sent;
  shutdown_ = 0;
  done_ = false;
  error_ = 0;
  if (to == local_) {  // simultaneous open with oneself
    auto link = make_ref<TcpLink>(link_start(), TcpLink::Start{});
    on_connected(std::move(link), TcpLink::CLIENT);
    return {};
  }
  auto r = start_connect(local_, to, tcp.syncnt != 0 ? tcp.syncnt : SYN_RETRIES);
  if (!r.ok()) on_connect_failed(r.code());
  return {};
}

TcpLink::Start TcpSocket::link_start() {
  return {this, local_, std::move(port_), owner().euid, ino(), family()};
}

void TcpSocket::on_connected(Ref<TcpLink> link, int side) {
  link_ = std::move(link);
  side_ = side;
  phase_ = Phase::linked;
  remote_ = link_->peer_addr(side);
  apply_limits();
  if (side == TcpLink::SERVER) progress_ = Progress::connected;
  wake_all(OUT_EVENTS);
}

void TcpSocket::on_connect_failed(int error) {
  phase_ = Phase::closed;
  error_ = error;
  if (!user_bound_port_) {
    port_.reset();
    local_.port = 0;
  }
  if (!user_bound_addr_) {
    local_.ip = IpAddr::any(family());
    if (port_) port_->ip = local_.ip;
  }
  shutdown_ = SHUTDOWN_MASK;
  wake_all(IN_EVENTS | OUT_EVENTS | EPOLLERR | EPOLLHUP);
}

// connect(2) with AF_UNSPEC, shutdown(2) on a listener.
Result<void> TcpSocket::disconnect() {
  if (phase_ == Phase::listening) stop_listening();
  cancel_connect();
  if (link_) {
    if (user_bound_port_ && link_->port(side_) != nullptr) {
      port_ = new_port_user(local_.ip);
      ports_.adopt(*port_, local_.port);
    }
    link_->close(side_, true);
    link_.reset();
  }
  phase_ = Phase::closed;
  progress_ = Progress::unconnected;
  error_ = 0;
  shutdown_ = 0;
  done_ = false;
  remote_ = {IpAddr::any(family()), 0};
  if (!user_bound_port_) {
    port_.reset();
    local_.port = 0;
  } else if (port_) {
    port_->listening = false;
  }
  if (!user_bound_addr_) {
    local_.ip = IpAddr::any(family());
    if (port_) port_->ip = local_.ip;
  }
  wake_all(IN_EVENTS | OUT_EVENTS | EPOLLHUP);
  return {};
}

Result<void> TcpSocket::shutdown(int how) {
  if (how < SHUT_RD || how > SHUT_RDWR) return Error{EINVAL};
  const auto mask = static_cast<uint32_t>(how + 1);
  const TcpState s = state();
  if (s == TcpState::listen && !(mask & RCV_SHUTDOWN)) return {};
  if (s == TcpState::listen || s == TcpState::syn_sent) return disconnect();
  shutdown_ |= mask;
  if (link_) {
    if (mask & RCV_SHUTDOWN) link_->shut_read(side_);
    if (mask & SEND_SHUTDOWN) link_->send_fin(side_);
  }
  wake_all(IN_EVENTS | OUT_EVENTS | EPOLLRDHUP | EPOLLHUP);
  if (s == TcpState::close) return Error{ENOTCONN};
  return {};
}

// --- What the connection reports ---

void TcpSocket::on_stream(uint32_t events) {
  if (link_ && link_->fin_received(side_)) {
    shutdown_ |= RCV_SHUTDOWN;
    done_ = true;
    // Both directions are closed: tcp_done().
    if (link_->state(side_) == TcpState::close) shutdown_ = SHUTDOWN_MASK;
  }
  if (events & (EPOLLRDHUP | EPOLLHUP))
    wake_all(events);
  else
    wake(events);
}

void TcpSocket::on_reset(int error) {
  error_ = error;
  shutdown_ = SHUTDOWN_MASK;
  wake_all(IN_EVENTS | OUT_EVENTS | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
}

// tcp_poll()
uint32_t TcpSocket::poll() {
  const TcpState s = state();
  if (s == TcpState::listen) return accept_queue_.empty() ? 0 : IN_EVENTS;
  uint32_t mask = 0;
  if (shutdown_ == SHUTDOWN_MASK || s == TcpState::close) mask |= EPOLLHUP;
  if (shutdown_ & RCV_SHUTDOWN) mask |= IN_EVENTS | EPOLLRDHUP;
  if (s != TcpState::syn_sent) {
    if (readable() >= static_cast<size_t>(std::max(opt.rcvlowat, 1))) mask |= IN_EVENTS;
    if ((shutdown_ & SEND_SHUTDOWN) || !link_ || link_->writeable(side_))
      mask |= EPOLLOUT | EPOLLWRNORM;
    else
      link_->want_room(side_);
    if (link_ && link_->urgent_offset(side_)) mask |= EPOLLPRI;
  }
  if (error_ != 0) mask |= EPOLLERR;
  return mask;
}

}  // namespace starry
