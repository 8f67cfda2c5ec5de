#include "netstack/proc_net.h"

#include <fmt/format.h>

#include <algorithm>

#include "emulated_kernel/platform.h"
#include "netstack/datagram.h"
#include "netstack/netlink.h"
#include "netstack/tcp.h"
#include "netstack/unix_socket.h"

namespace starry {

namespace {

constexpr int USER_HZ_NR = 100;
constexpr uint64_t SECOND_NS = 1000000000;

// Addresses are printed as words in the machine's byte order: 127.0.0.1 is 0100007F.
std::string hex(const Endpoint& e, int family) {
  std::string out;
  for (size_t i = family == AF_INET ? 12 : 0; i < 16; i += 4) {
    uint32_t word;
    std::memcpy(&word, &e.ip.b[i], sizeof word);
    out += fmt::format("{:08X}", word);
  }
  return out + fmt::format(":{:04X}", e.port);
}

// Stands for the kernel's %pK: a number that identifies the socket and is no address.
std::string pointer(uint64_t ino) { return fmt::format("{:016x}", (ino + 1) * 0x9e3779b97f4a7c15ULL >> 32); }

struct TcpLine {
  Endpoint local, remote;
  TcpState state;
  size_t tx = 0, rx = 0;
  uint32_t uid = 0;
  uint64_t ino = 0;
  uint64_t timer_left_ns = 0;  // TIME_WAIT
};

std::vector<TcpLine> tcp_lines(int family) {
  std::vector<TcpLine> lines;
  for_each_socket([&](Socket& s) {
    auto* tcp = dynamic_cast<TcpSocket*>(&s);
    if (tcp == nullptr || s.family() != family) return;
    const TcpState state = tcp->state();
    if (state == TcpState::listen)
      lines.push_back(
          {tcp->local(), tcp->remote(), state, 0, tcp->accept_queue_length(), s.owner().euid, s.ino()});
    if (state == TcpState::syn_sent)
      lines.push_back({tcp->local(), tcp->remote(), state, 1, 0, s.owner().euid, s.ino()});
  });
  for (const auto& [pair, link] : tcp_table().connections()) {
    const int side = link->addr(TcpLink::CLIENT) == pair.first ? TcpLink::CLIENT : TcpLink::SERVER;
    if (link->family(side) != family) continue;
    lines.push_back({pair.first, pair.second, link->state(side), link->unsent(side), link->unread(side),
                     link->uid(side), link->ino(side)});
  }
  const uint64_t now = platform().monotonic_ns();
  tcp_table().expire_time_wait();
  for (const auto& tw : tcp_table().time_wait()) {
    const bool v4 = tw.pair.first.ip.is_v4();
    if (v4 != (family == AF_INET)) continue;
    const uint64_t age = now - tw.since_ns;
    lines.push_back({tw.pair.first, tw.pair.second, TcpState::time_wait, 0, 0, 0, 0,
                     60 * SECOND_NS > age ? 60 * SECOND_NS - age : 0});
  }
  return lines;
}

std::string show_tcp_family(int family) {
  const bool v4 = family == AF_INET;
  std::string out =
      v4 ? fmt::format("{:<149}\n",
                       "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
                       "timeout inode")
         : "  sl  local_address                         remote_address                        st tx_queue "
           "rx_queue tr "
           "tm->when retrnsmt   uid  timeout inode\n";
  int n = 0;
  for (const TcpLine& l : tcp_lines(family)) {
    std::string line = fmt::format("{:4}: {} {} {:02X} {:08X}:{:08X} ", n++, hex(l.local, family),
                                   hex(l.remote, family), static_cast<int>(l.state), l.tx, l.rx);
    if (l.state == TcpState::time_wait)
      line += fmt::format("03:{:08X} 00000000     0        0 0 3 {}",
                          l.timer_left_ns * USER_HZ_NR / SECOND_NS, pointer(l.local.port));
    else if (l.state == TcpState::listen)
      line += fmt::format("00:00000000 00000000 {:5}        0 {} 1 {} 100 0 0 10 0", l.uid, l.ino,
                          pointer(l.ino));
    else
      line += fmt::format("00:00000000 00000000 {:5}        0 {} 1 {} 20 4 0 10 -1", l.uid, l.ino,
                          pointer(l.ino));
    out += v4 ? fmt::format("{:<149}\n", line) : line + "\n";
  }
  return out;
}

template <class T>
std::string show_datagrams(int family) {
  const bool v4 = family == AF_INET;
  std::string out =
      v4 ? fmt::format("{:<127}\n",
                       "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
                       "timeout inode ref pointer drops")
         : "  sl  local_address                         remote_address                        st tx_queue "
           "rx_queue tr "
           "tm->when retrnsmt   uid  timeout inode ref pointer drops\n";
  for_each_socket([&](Socket& s) {
    auto* udp = dynamic_cast<T*>(&s);
    if (udp == nullptr || s.family() != family || udp->port_number() == 0) return;
    const std::string line = fmt::format(
        "{:5}: {} {} {:02X} 00000000:{:08X} 00:00000000 00000000 {:5}        0 {} 2 {} {}",
        udp->port_number(), hex(udp->local(), family), hex(udp->remote(), family), udp->connected() ? 1 : 7,
        udp->queued_bytes(), s.owner().euid, s.ino(), pointer(s.ino()), udp->drops());
    out += v4 ? fmt::format("{:<127}\n", line) : line + "\n";
  });
  return out;
}

std::string show_unix() {
  std::string out = "Num       RefCount Protocol Flags    Type St Inode Path\n";
  for_each_socket([&](Socket& s) {
    auto* u = dynamic_cast<UnixSocket*>(&s);
    if (u == nullptr) return;
    const bool listening = u->state() == UnixSocket::State::listening;
    const bool connected = u->state() == UnixSocket::State::connected;
    out += fmt::format("{}: {:08X} 00000000 {:08X} {:04X} {:02X} {:5}", pointer(s.ino()), connected ? 3 : 2,
                       listening ? 0x10000 : 0, s.type(), connected ? 3 : 1, s.ino());
    constexpr size_t PATH_OFFSET = offsetof(sockaddr_un, sun_path);
    if (const SockAddr& name = u->name(); name.len > PATH_OFFSET) {
      const bool abstract = name.bytes[PATH_OFFSET] == 0;
      std::string text(reinterpret_cast<const char*>(name.bytes.data()) + PATH_OFFSET,
                       name.len - PATH_OFFSET);
      if (!abstract) text = text.c_str();
      std::replace(text.begin(), text.end(), '\0', '@');
      out += " " + text;
    }
    out += "\n";
  });
  return out;
}

std::string show_netlink() {
  std::string out =
      "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n";
  for_each_socket([&](Socket& s) {
    auto* n = dynamic_cast<NetlinkSocket*>(&s);
    if (n == nullptr || n->port_id() == 0) return;
    out += fmt::format("{} {:<3} {:<10} {:08x} {:<8} {:<8} {:<5} {:<8} {:<8} {:<8}\n", pointer(s.ino()),
                       s.protocol(), n->port_id(), n->groups(), 0, 0, 0, 2, 0, s.ino());
  });
  return out;
}

std::string show_dev() {
  const auto& c = lwip::lo_counters();
  return "Inter-|   Receive                                                |  Transmit\n"
         " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo "
         "colls "
         "carrier compressed\n" +
         fmt::format(
             "{:>6}: {:7} {:7} {:4} {:4} {:4} {:5} {:10} {:9} {:8} {:7} {:4} {:4} {:4} {:5} {:7} {:10}\n",
             "lo", c.bytes, c.packets, 0, 0, 0, 0, 0, 0, c.bytes, c.packets, 0, 0, 0, 0, 0, 0);
}

std::string show_route() {
  return fmt::format("{:<127}\n",
                     "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
}

std::string show_if_inet6() { return "00000000000000000000000000000001 01 80 10 80       lo\n"; }

std::string show_ipv6_route() {
  const std::string zero(32, '0');
  return "00000000000000000000000000000001 80 " + zero + " 00 " + zero +
         " 00000000 00000002 00000000 80200001       lo\n" + zero + " 00 " + zero + " 00 " + zero +
         " ffffffff 00000001 00000000 00200200       lo\n";
}

std::string show_sockstat_family(int family) {
  int tcp = 0, udp = 0, used = 0, listening_or_linked = 0;
  for_each_socket([&](Socket& s) {
    used++;
    if (s.family() != family) return;
    if (auto* t = dynamic_cast<TcpSocket*>(&s)) {
      tcp++;
      if (t->state() != TcpState::close) listening_or_linked++;
    }
    if (auto* u = dynamic_cast<UdpSocket*>(&s); u != nullptr && u->port_number() != 0) udp++;
  });
  if (family == AF_INET6)
    return fmt::format(
        "TCP6: inuse {}\nUDP6: inuse {}\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n",
        listening_or_linked, udp);
  return fmt::format(
      "sockets: used {}\nTCP: inuse {} orphan 0 tw {} alloc {} mem 0\nUDP: inuse {} mem 0\nUDPLITE: inuse 0\n"
      "RAW: inuse 0\nFRAG: inuse 0 memory 0\n",
      used, listening_or_linked, tcp_table().time_wait().size(), tcp, udp);
}

const ProcNetEntry ENTRIES[] = {
    {"tcp", [] { return show_tcp_family(AF_INET); }},
    {"tcp6", [] { return show_tcp_family(AF_INET6); }},
    {"udp", [] { return show_datagrams<UdpSocket>(AF_INET); }},
    {"udp6", [] { return show_datagrams<UdpSocket>(AF_INET6); }},
    {"icmp", [] { return show_datagrams<PingSocket>(AF_INET); }},
    {"icmp6", [] { return show_datagrams<PingSocket>(AF_INET6); }},
    {"unix", show_unix},
    {"netlink", show_netlink},
    {"dev", show_dev},
    {"route", show_route},
    {"if_inet6", show_if_inet6},
    {"ipv6_route", show_ipv6_route},
    {"sockstat", [] { return show_sockstat_family(AF_INET); }},
    {"sockstat6", [] { return show_sockstat_family(AF_INET6); }},
    // No raw or packet sockets, no neighbours, no multicast members: headers only.
    {"raw",
     [] {
       return std::string(
           "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
           "timeout inode ref pointer drops\n");
     }},
    {"raw6",
     [] {
       return std::string(
           "  sl  local_address                         remote_address                       "
           " st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer "
           "drops\n");
     }},
    {"packet",
     [] { return std::string("sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"); }},
    {"arp",
     [] {
       return std::string("IP address       HW type     Flags       HW address            Mask     Device\n");
     }},
    {"igmp", [] { return std::string("Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"); }},
    {"dev_mcast", [] { return std::string(); }},
};

}  // namespace

std::span<const ProcNetEntry> proc_net_entries() { return ENTRIES; }

}  // namespace starry
