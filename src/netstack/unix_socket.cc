// AF_UNIX: names, connections, closing. Data is in unix_io.cc.
#include "netstack/unix_socket.h"

#include <fmt/format.h>

#include <algorithm>

namespace starry {

namespace {

constexpr uint32_t PATH_OFFSET = offsetof(sockaddr_un, sun_path);
constexpr int MAX_DGRAM_QLEN = 10;  // net.unix.max_dgram_qlen

std::string raw_name(const SockAddr& a) {
  return {reinterpret_cast<const char*>(a.bytes.data()) + PATH_OFFSET, a.len - PATH_OFFSET};
}

// unix_validate_addr()
Result<void> check_address(const SockAddr& a) {
  if (a.len <= PATH_OFFSET || a.len > sizeof(sockaddr_un) || a.family() != AF_UNIX) return Error{EINVAL};
  return {};
}

bool is_abstract(const SockAddr& a) { return a.bytes[PATH_OFFSET] == 0; }

// An unnamed socket shows the family alone.
SockAddr shown(const SockAddr& name) {
  if (name.len > 0) return name;
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  return SockAddr::from(un, PATH_OFFSET);
}

}  // namespace

UnixSocket::UnixSocket(int type, int protocol, Ref<NetNamespace> net)
    : Socket(AF_UNIX, type, protocol, std::move(net)),
      backlog_(MAX_DGRAM_QLEN),
      account_(make_ref<UnixSendAccount>()) {
  account_->owner = this;
}

UnixSocket::~UnixSocket() {
  account_->owner = nullptr;
  if (path_) caller_unbind_unix(path_);
  if (name_.len > 0 && is_abstract(name_)) {
    // Accepted sockets show their listener's name without owning it.
    const auto it = net().abstract_names.find(raw_name(name_));
    if (it != net().abstract_names.end() && it->second == this) net().abstract_names.erase(it);
  }
  const bool unread = !queue_.empty();
  for (UnixSocket* other : std::vector<UnixSocket*>(linked_to_us_)) {
    other->peer_ = nullptr;
    other->gone_peer_ = name_;
    if (!connection_mode()) continue;  // finds out when it sends
    other->shutdown_ = SHUTDOWN_MASK;
    if (unread || embryo_) other->error_ = ECONNRESET;
    other->wake_all(IN_EVENTS | OUT_EVENTS | EPOLLHUP | EPOLLRDHUP | EPOLLERR);
  }
  linked_to_us_.clear();
  unlink_peer();
  // Clients of a listener that it never accepted find their peer closed.
  accept_queue_.clear();
  room_queue_.wake_all();
  std::vector<Ref<File>> files;
  drop_in_flight(&files);
  queue_.clear();
  if (unix_files_in_flight() > 0) unix_collect_garbage();
}

ScmCreds UnixSocket::own_creds() const {
  const NetCaller c = net_caller();
  return {c.pid, c.euid, c.egid};
}

void UnixSocket::link_to(UnixSocket& peer) {
  gone_peer_.reset();
  peer_ = &peer;
  peer.linked_to_us_.push_back(this);
  state_ = State::connected;
}

void UnixSocket::unlink_peer() {
  if (peer_ == nullptr) return;
  std::erase(peer_->linked_to_us_, this);
  peer_ = nullptr;
}

void UnixSocket::pair_up(UnixSocket& a, UnixSocket& b) {
  a.link_to(b);
  b.link_to(a);
  a.peer_creds_ = b.own_creds();
  b.peer_creds_ = a.own_creds();
}

// --- Names ---

Result<void> UnixSocket::bind(const SockAddr& a) {
  if (a.len == PATH_OFFSET && a.family() == AF_UNIX) return autobind();
  TRY(check_address(a));
  if (is_abstract(a)) {
    if (name_.len > 0) return Error{EINVAL};
    if (!net().abstract_names.emplace(raw_name(a), this).second) return Error{EADDRINUSE};
    name_ = a;
    return {};
  }
  // The name ends at the first NUL, or where the address ends; getsockname(2) counts the NUL.
  const std::string pathname(raw_name(a).c_str());
  if (name_.len > 0) {  // unix_bind_bsd() finds out after it has made the file
    const auto there = caller_find_unix(pathname);
    return Error{there.ok() || there.code() == ECONNREFUSED ? EADDRINUSE : EINVAL};
  }
  path_ = TRY(caller_bind_unix(pathname, TRY(stat()).mode, &binding_));
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::copy(pathname.begin(), pathname.end(), un.sun_path);
  name_ = SockAddr::from(un, static_cast<uint32_t>(PATH_OFFSET + pathname.size() + 1));
  return {};
}

// unix(7), Autobind feature: an abstract name of five hexadecimal digits.
Result<void> UnixSocket::autobind() {
  static uint32_t next = 0;
  if (name_.len > 0) return {};
  for (uint32_t i = 0; i <= 0xfffff; i++) {
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    const std::string digits = fmt::format("{:05x}", next++ & 0xfffff);
    std::copy(digits.begin(), digits.end(), un.sun_path + 1);
    const SockAddr a = SockAddr::from(un, static_cast<uint32_t>(PATH_OFFSET + 1 + digits.size()));
    if (!net().abstract_names.emplace(raw_name(a), this).second) continue;
    name_ = a;
    return {};
  }
  return Error{ENOSPC};
}

Result<UnixSocket*> UnixSocket::find(const SockAddr& a) const {
  TRY(check_address(a));
  UnixSocket* found;
  if (is_abstract(a)) {
    const auto it = net().abstract_names.find(raw_name(a));
    if (it == net().abstract_names.end()) return Error{ECONNREFUSED};
    found = it->second;
  } else {
    UnixBinding* binding = TRY(caller_find_unix(raw_name(a).c_str()));
    found = &binding->socket();
  }
  if (found->type() != type()) return Error{EPROTOTYPE};
  return found;
}

Result<SockAddr> UnixSocket::local_name() { return shown(name_); }

Result<SockAddr> UnixSocket::peer_name() {
  if (peer_ != nullptr) return shown(peer_->name_);
  if (gone_peer_) return shown(*gone_peer_);
  return Error{ENOTCONN};
}

// --- Connections ---

Result<void> UnixSocket::listen(int backlog) {
  if (!connection_mode()) return Error{EOPNOTSUPP};
  if (name_.len == 0 || state_ == State::connected) return Error{EINVAL};
  backlog_ =
      static_cast<int>(std::min(static_cast<unsigned>(backlog), static_cast<unsigned>(SOMAXCONN_SYSCTL)));
  state_ = State::listening;
  listen_creds_ = peer_creds_ = own_creds();
  room_queue_.wake_all();
  return {};
}

Result<Ref<Socket>> UnixSocket::accept() {
  if (!connection_mode()) return Error{EOPNOTSUPP};
  if (state_ != State::listening) return Error{EINVAL};
  if (accept_queue_.empty()) {
    if (nonblocking()) return Error{EAGAIN};
    TRY(wait(
        rcv_deadline(), [&] { return !accept_queue_.empty() || (shutdown_ & RCV_SHUTDOWN); }, true));
    if (accept_queue_.empty()) return Error{EINVAL};
  }
  Ref<UnixSocket> child = std::move(accept_queue_.front());
  accept_queue_.pop_front();
  child->embryo_ = false;
  room_queue_.wake();
  return Ref<Socket>(std::move(child));
}

Result<void> UnixSocket::connect(const SockAddr& a) {
  if (a.len < sizeof(sa_family_t)) return Error{EINVAL};
  return connection_mode() ? connect_stream(a) : connect_datagram(a);
}

Result<void> UnixSocket::connect_stream(const SockAddr& a) {
  TRY(check_address(a));
  if (opt.passcred && name_.len == 0) TRY(autobind());
  const Deadline deadline = snd_deadline();
  Ref<UnixSocket> listener;
  for (;;) {
    listener = Ref<UnixSocket>(TRY(find(a)));
    if (listener->state_ != State::listening || (listener->shutdown_ & RCV_SHUTDOWN))
      return Error{ECONNREFUSED};
    if (listener->accept_queue_.size() <= static_cast<size_t>(listener->backlog_)) break;
    if (nonblocking()) return Error{EAGAIN};
    const Wake w = wait_until(
        listener->room_queue_, deadline,
        [&] {
          return listener->accept_queue_.size() <= static_cast<size_t>(listener->backlog_) ||
                 listener->state_ != State::listening || (listener->shutdown_ & RCV_SHUTDOWN);
        },
        true);
    if (w == Wake::timeout) return Error{EAGAIN};
    if (w == Wake::signal) return Error{deadline.is_never() ? ERESTARTSYS : EINTR};
  }
  if (state_ == State::connected) return Error{EISCONN};
  if (state_ == State::listening) return Error{EINVAL};
  auto child = make_ref<UnixSocket>(type(), protocol(), Ref<NetNamespace>(&listener->net()));
  child->opt.passcred = listener->opt.passcred;
  child->name_ = listener->name_;
  child->embryo_ = true;
  child->link_to(*this);
  link_to(*child);
  child->peer_creds_ = own_creds();
  peer_creds_ = listener->listen_creds_;
  error_ = 0;
  listener->accept_queue_.push_back(std::move(child));
  listener->wake(IN_EVENTS);
  return {};
}

Result<void> UnixSocket::connect_datagram(const SockAddr& a) {
  if (a.family() == AF_UNSPEC) {
    unlink_peer();
    gone_peer_.reset();
    state_ = State::unconnected;
    return {};
  }
  TRY(check_address(a));
  if (opt.passcred && name_.len == 0) TRY(autobind());
  UnixSocket* to = TRY(find(a));
  if (to->peer_ != nullptr && to->peer_ != this) return Error{EPERM};
  unlink_peer();
  link_to(*to);
  return {};
}

Result<void> UnixSocket::shutdown(int how) {
  if (how < SHUT_RD || how > SHUT_RDWR) return Error{EINVAL};
  const auto mask = static_cast<uint32_t>(how + 1);
  shutdown_ |= mask;
  if (peer_ != nullptr && connection_mode()) {
    if (mask & RCV_SHUTDOWN) peer_->shutdown_ |= SEND_SHUTDOWN;
    if (mask & SEND_SHUTDOWN) peer_->shutdown_ |= RCV_SHUTDOWN;
    peer_->wake_all(IN_EVENTS | OUT_EVENTS | EPOLLRDHUP |
                    (peer_->shutdown_ == SHUTDOWN_MASK ? EPOLLHUP : 0u));
  }
  wake_all(IN_EVENTS | OUT_EVENTS | EPOLLRDHUP | EPOLLHUP);
  room_queue_.wake_all();
  return {};
}

// unix_poll(), unix_dgram_poll()
uint32_t UnixSocket::poll() {
  uint32_t mask = 0;
  if (error_ != 0) mask |= EPOLLERR;
  if (shutdown_ == SHUTDOWN_MASK) mask |= EPOLLHUP;
  if (shutdown_ & RCV_SHUTDOWN) mask |= EPOLLRDHUP | IN_EVENTS;
  if (!queue_.empty() || !accept_queue_.empty()) mask |= IN_EVENTS;
  if (connection_mode() && state_ == State::unconnected) mask |= EPOLLHUP;
  const bool peer_full =
      !connection_mode() && peer_ != nullptr && peer_->peer_ != this && peer_->queue_full();
  if (writable() && !peer_full) mask |= OUT_EVENTS;
  return mask;
}

}  // namespace starry
