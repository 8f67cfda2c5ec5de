#include "netstack/tcp_table.h"

#include <algorithm>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/platform.h"
#include "netstack/tcp.h"

namespace starry {

namespace {
constexpr size_t TIME_WAIT_MAX = 16384;  // net.ipv4.tcp_max_tw_buckets: the oldest go early
}  // namespace

TcpTable& tcp_table() {
  static TcpTable table;
  return table;
}

TcpInitiator::~TcpInitiator() { cancel_connect(); }

void TcpInitiator::cancel_connect() {
  if (!open_) return;
  tcp_table().opening_.erase(key_);
  open_.reset();
}

Result<void> TcpInitiator::start_connect(const Endpoint& local, const Endpoint& remote, int syn_retries) {
  key_ = {local, remote};
  open_ = std::make_unique<lwip::TcpOpen>([this](int error) {
    cancel_connect();
    on_connect_failed(error);
  });
  tcp_table().opening_[key_] = this;
  auto r = open_->start(local, remote, syn_retries);
  if (!r.ok()) cancel_connect();
  return r;
}

void TcpTable::add(TcpLink& link) {
  connections_.emplace(Pair{link.addr(0), link.peer_addr(0)}, &link);
  if (!link.is_self()) connections_.emplace(Pair{link.addr(1), link.peer_addr(1)}, &link);
}

void TcpTable::remove(TcpLink& link) {
  for (int s : {TcpLink::CLIENT, TcpLink::SERVER}) {
    const auto it = connections_.find({link.addr(s), link.peer_addr(s)});
    if (it != connections_.end() && it->second == &link) connections_.erase(it);
  }
}

void TcpTable::add_time_wait(const Endpoint& local, const Endpoint& remote, std::unique_ptr<PortUser> port) {
  if (time_wait_.size() >= TIME_WAIT_MAX) {
    time_wait_since_.erase(time_wait_.front().pair);
    time_wait_.pop_front();
  }
  const uint64_t now = platform().monotonic_ns();
  port->listening = false;
  time_wait_since_[{local, remote}] = now;
  time_wait_.push_back({{local, remote}, std::move(port), now});
}

void TcpTable::expire_time_wait() {
  if (time_wait_.empty()) return;
  const uint64_t now = platform().monotonic_ns();
  while (!time_wait_.empty() && now - time_wait_.front().since_ns >= TIME_WAIT_NS) {
    const auto it = time_wait_since_.find(time_wait_.front().pair);
    if (it != time_wait_since_.end() && it->second == time_wait_.front().since_ns) time_wait_since_.erase(it);
    time_wait_.pop_front();
  }
}

bool TcpTable::pair_free(const Endpoint& local, const Endpoint& remote) {
  const Pair pair{local, remote};
  if (connections_.contains(pair) || opening_.contains(pair)) return false;
  const auto it = time_wait_since_.find(pair);
  return it == time_wait_since_.end() || platform().monotonic_ns() - it->second >= SECOND_NS;
}

void TcpTable::add_listener(TcpSocket& s) { listeners_[s.port_number()].push_back(&s); }

void TcpTable::remove_listener(TcpSocket& s) {
  const auto it = listeners_.find(s.port_number());
  if (it == listeners_.end()) return;
  std::erase(it->second, &s);
  if (it->second.empty()) listeners_.erase(it);
}

TcpSocket* TcpTable::find_listener(const Endpoint& server, const Endpoint& client) const {
  const auto it = listeners_.find(server.port);
  if (it == listeners_.end()) return nullptr;
  // An exact address beats a wildcard; for IPv4, an AF_INET socket beats a dual-stack one.
  auto score = [&](const TcpSocket& s) {
    const PortUser& p = *s.port();
    if (!address_accepts(p.ip, p.v6only, server.ip)) return 0;
    return (p.ip.is_any() ? 1 : 4) + (server.ip.is_v4() && s.family() == AF_INET ? 2 : 0);
  };
  int best = 0;
  std::vector<TcpSocket*> group;
  for (TcpSocket* s : it->second) {
    const int n = score(*s);
    if (n == 0 || n < best) continue;
    if (n > best) group.clear();
    best = n;
    group.push_back(s);
  }
  if (group.empty()) return nullptr;
  return group[EndpointPairHash{}({server, client}) % group.size()];
}

bool TcpTable::on_syn(const Endpoint& server, const Endpoint& client) const {
  const TcpSocket* s = find_listener(server, client);
  return s == nullptr || !s->accept_queue_full();  // nobody: lwIP refuses
}

void TcpTable::on_established(const Endpoint& server, const Endpoint& client) {
  TcpSocket* listener = find_listener(server, client);
  const auto it = opening_.find({client, server});
  if (it == opening_.end()) return;  // given up meanwhile
  TcpInitiator* initiator = it->second;
  initiator->cancel_connect();
  if (listener == nullptr) {
    initiator->on_connect_failed(ECONNREFUSED);
    return;
  }
  Ref<TcpSocket> child = listener->make_child();
  auto link = make_ref<TcpLink>(initiator->link_start(), child->link_start_for(server));
  child->on_connected(link, TcpLink::SERVER);
  initiator->on_connected(link, TcpLink::CLIENT);
  listener->enqueue(std::move(child));
}

}  // namespace starry
