#include "netstack/sock_list.h"

#include "emulated_kernel/platform.h"
#include "netstack/tcp.h"

namespace starry {

namespace {}

std::vector<TcpEntry> list_tcp(const NetNamespace& net, int family) {
  std::vector<TcpEntry> lines;
  for_each_socket(net, [&](Socket& s) {
    auto* tcp = dynamic_cast<TcpSocket*>(&s);
    if (tcp == nullptr || s.family() != family) return;
    const TcpState state = tcp->state();
    if (state == TcpState::listen)
      lines.push_back({tcp->local(), tcp->remote(), state, 0, tcp->accept_queue_length(), s.owner().euid,
                       s.ino(), 0, tcp->backlog(), tcp->ip.v6only});
    if (state == TcpState::syn_sent)
      lines.push_back({tcp->local(), tcp->remote(), state, 1, 0, s.owner().euid, s.ino()});
  });
  if (!net.initial) return lines;  // nobody is connected there
  for (const auto& [pair, link] : tcp_table().connections()) {
    const int side = link->addr(TcpLink::CLIENT) == pair.first ? TcpLink::CLIENT : TcpLink::SERVER;
    if (link->family(side) != family) continue;
    // A FIN behind unread bytes has a sequence number, which counts as one byte.
    const size_t unread = link->unread(side),
                 queued = unread + (unread > 0 && link->fin_received(side) ? 1 : 0);
    lines.push_back({pair.first, pair.second, link->state(side), link->unsent(side), queued, link->uid(side),
                     link->ino(side)});
  }
  const uint64_t now = platform().monotonic_ns();
  tcp_table().expire_time_wait();
  for (const auto& tw : tcp_table().time_wait()) {
    const bool v4 = tw.pair.first.ip.is_v4();
    if (v4 != (family == AF_INET)) continue;
    const uint64_t age = now - tw.since_ns;
    lines.push_back({tw.pair.first, tw.pair.second, TcpState::time_wait, 0, 0, 0, 0,
                     TIME_WAIT_NS > age ? TIME_WAIT_NS - age : 0});
  }
  return lines;
}

}  // namespace starry
