#include "netstack/proc_net.h"

#include <fmt/format.h>

#include <algorithm>

#include "netstack/datagram.h"
#include "netstack/netlink.h"
#include "netstack/sock_list.h"
#include "netstack/tcp.h"
#include "netstack/unix_socket.h"

namespace starry {

namespace {

constexpr int USER_HZ_NR = 100;

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
  for (const TcpEntry& l : list_tcp(*caller_net(), family)) {
    std::string line = fmt::format("{:4}: {} {} {:02X} {:08X}:{:08X} ", n++, hex(l.local, family),
                                   hex(l.remote, family), static_cast<int>(l.state), l.tx, l.rx);
    if (l.state == TcpState::time_wait)
      line += fmt::format("03:{:08X} 00000000     0        0 0 3 {}",
                          l.timer_left_ns * USER_HZ_NR / SECOND_NS, pointer(l.local.port));
    else if (l.state == TcpState::listen)
      line += fmt::format("00:00000000 00000000 {:5}        0 {} 1 {} 100 0 0 10 0", caller_sees_uid(l.uid),
                          l.ino, pointer(l.ino));
    else
      line += fmt::format("00:00000000 00000000 {:5}        0 {} 1 {} 20 4 0 10 -1", caller_sees_uid(l.uid),
                          l.ino, pointer(l.ino));
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
  for_each_socket(*caller_net(), [&](Socket& s) {
    auto* udp = dynamic_cast<T*>(&s);
    if (udp == nullptr || s.family() != family || udp->port_number() == 0) return;
    const std::string line = fmt::format(
        "{:5}: {} {} {:02X} 00000000:{:08X} 00:00000000 00000000 {:5}        0 {} 2 {} {}",
        udp->port_number(), hex(udp->local(), family), hex(udp->remote(), family), udp->connected() ? 1 : 7,
        udp->queued_bytes(), caller_sees_uid(s.owner().euid), s.ino(), pointer(s.ino()), udp->drops());
    out += v4 ? fmt::format("{:<127}\n", line) : line + "\n";
  });
  return out;
}

std::string show_unix() {
  std::string out = "Num       RefCount Protocol Flags    Type St Inode Path\n";
  for_each_socket(*caller_net(), [&](Socket& s) {
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
  for_each_socket(*caller_net(), [&](Socket& s) {
    auto* n = dynamic_cast<NetlinkSocket*>(&s);
    if (n == nullptr || n->port_id() == 0) return;
    out += fmt::format("{} {:<3} {:<10} {:08x} {:<8} {:<8} {:<5} {:<8} {:<8} {:<8}\n", pointer(s.ino()),
                       s.protocol(), n->port_id(), n->groups(), 0, 0, 0, 2, 0, s.ino());
  });
  return out;
}

std::string show_dev() {
  const lwip::LoCounters c = caller_net()->initial ? lwip::lo_counters() : lwip::LoCounters{};
  return "Inter-|   Receive                                                |  Transmit\n"
         " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo "
         "colls "
         "carrier compressed\n" +
         fmt::format(
             "{:>6}: {:7} {:7} {:4} {:4} {:4} {:5} {:10} {:9} {:8} {:7} {:4} {:4} {:4} {:5} {:7} {:10}\n",
             "lo", c.bytes, c.packets, 0, 0, 0, 0, 0, 0, c.bytes, c.packets, 0, 0, 0, 0, 0, 0);
}

std::string show_route() {
  if (!caller_net()->initial) return "";  // there is no table yet
  const auto line = [](std::string_view text) { return fmt::format("{:<127}\n", text); };
  return line("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT") +
         line("lo\t000000E0\t00000000\t0001\t0\t0\t0\t000000F0\t0\t0\t0");  // multicast
}

std::string show_if_inet6() {
  return caller_net()->initial ? "00000000000000000000000000000001 01 80 10 80       lo\n" : "";
}

std::string show_ipv6_route() {
  if (!caller_net()->initial) return "";
  const std::string zero(32, '0');
  return "00000000000000000000000000000001 80 " + zero + " 00 " + zero +
         " 00000000 00000002 00000000 80200001       lo\n" + zero + " 00 " + zero + " 00 " + zero +
         " ffffffff 00000001 00000000 00200200       lo\n";
}

// A closed TCP socket is allocated but not in use.
struct SocketCounts {
  int all = 0, tcp_allocated = 0, tcp[2] = {}, udp[2] = {}, established = 0;  // by family: IPv4, IPv6
};
SocketCounts count_sockets() {
  SocketCounts n;
  for_each_socket(*caller_net(), [&](Socket& s) {
    n.all++;
    const int v6 = s.family() == AF_INET6;
    if (auto* t = dynamic_cast<TcpSocket*>(&s)) {
      n.tcp_allocated++;
      n.tcp[v6] += t->state() != TcpState::close;
      n.established += t->state() == TcpState::established || t->state() == TcpState::close_wait;
    }
    if (auto* u = dynamic_cast<UdpSocket*>(&s)) n.udp[v6] += u->port_number() != 0;
  });
  return n;
}

std::string show_sockstat() {
  const SocketCounts n = count_sockets();
  return fmt::format(
      "sockets: used {}\nTCP: inuse {} orphan 0 tw {} alloc {} mem 0\nUDP: inuse {} mem 0\nUDPLITE: inuse 0\n"
      "RAW: inuse 0\nFRAG: inuse 0 memory 0\n",
      n.all, n.tcp[0], caller_net()->initial ? tcp_table().time_wait().size() : 0, n.tcp_allocated, n.udp[0]);
}

std::string show_sockstat6() {
  const SocketCounts n = count_sockets();
  return fmt::format(
      "TCP6: inuse {}\nUDP6: inuse {}\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n", n.tcp[1],
      n.udp[1]);
}

// Only what is a state and not a count of events is kept: CurrEstab.
std::string show_snmp() {
  return fmt::format(
      "Ip: Forwarding DefaultTTL\nIp: 2 64\n"
      "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab "
      "InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n"
      "Tcp: 1 200 120000 -1 0 0 0 0 {} 0 0 0 0 0 0\n",
      count_sockets().established);
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
    {"sockstat", show_sockstat},
    {"sockstat6", show_sockstat6},
    {"snmp", show_snmp},
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
