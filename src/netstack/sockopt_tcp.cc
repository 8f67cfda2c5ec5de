// Options of level IPPROTO_TCP (tcp(7)).
#include <netinet/tcp.h>

#include <algorithm>

#include "netstack/sockopt.h"
#include "netstack/tcp.h"

namespace starry {

namespace {

constexpr size_t CONGESTION_NAME_MAX = 16;  // TCP_CA_NAME_MAX
constexpr int MSS_DEFAULT = 536;

// struct tcp_info of Linux 6.1 up to tcpi_rcv_ooopack, of which libc's header has only the beginning.
struct TcpInfo {
  uint8_t state, ca_state, retransmits, probes, backoff, options, wscale, app_limited;
  uint32_t rto, ato, snd_mss, rcv_mss, unacked, sacked, lost, retrans, fackets;
  uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
  uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
  uint32_t rcv_rtt, rcv_space, total_retrans;
  uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
  uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
  uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
  uint32_t delivered, delivered_ce;
  uint64_t bytes_sent, bytes_retrans;
  uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd;
};
static_assert(sizeof(TcpInfo) == 232);

}  // namespace

Result<void> TcpSocket::set_protocol_option(int name, OptIn value) {
  if (name == TCP_CONGESTION) {
    if (value.empty()) return Error{EINVAL};
    std::string wanted(reinterpret_cast<const char*>(value.data()),
                       std::min(value.size(), CONGESTION_NAME_MAX - 1));
    wanted = wanted.c_str();
    if (wanted != "cubic" && wanted != "reno") return Error{ENOENT};
    tcp.congestion = wanted;
    return {};
  }
  const int v = opt_int(value);
  const bool on = v != 0;
  switch (name) {
    case TCP_NODELAY:
      tcp.nodelay = on;
      if (on && link_) link_->push(side_);
      return {};
    case TCP_MAXSEG:
      if (v != 0 && !in_range(v, 88, 32767)) return Error{EINVAL};
      tcp.maxseg = v;
      return {};
    case TCP_CORK:
      tcp.cork = on;
      if (!on && link_) link_->push(side_);
      return {};
    case TCP_KEEPIDLE:
      if (!in_range(v, 1, 32767)) return Error{EINVAL};
      tcp.keepidle = v;
      return {};
    case TCP_KEEPINTVL:
      if (!in_range(v, 1, 32767)) return Error{EINVAL};
      tcp.keepintvl = v;
      return {};
    case TCP_KEEPCNT:
      if (!in_range(v, 1, 127)) return Error{EINVAL};
      tcp.keepcnt = v;
      return {};
    case TCP_SYNCNT:
      if (!in_range(v, 1, 127)) return Error{EINVAL};
      tcp.syncnt = v;
      return {};
    case TCP_LINGER2:
      tcp.linger2 = v < 0 ? -1 : std::min(v, 120);
      return {};
    case TCP_DEFER_ACCEPT:
      tcp.defer_accept = std::max(v, 0);
      return {};
    case TCP_WINDOW_CLAMP:
      if (v == 0 && state() != TcpState::close) return Error{EINVAL};
      tcp.window_clamp = v == 0 ? 0 : std::max(v, 1152);
      return {};
    case TCP_QUICKACK:
      tcp.quickack = (v & 1) != 0;  // even values only send what is due
      return {};
    case TCP_USER_TIMEOUT:
      if (v < 0) return Error{EINVAL};
      tcp.user_timeout = v;
      return {};
    case TCP_NOTSENT_LOWAT:
      tcp.notsent_lowat = v;
      return {};
    case TCP_INQ:
      if (v < 0 || v > 1) return Error{EINVAL};
      tcp.inq = on;
      return {};
    default:
      return Error{ENOPROTOOPT};
  }
}

Result<OptOut> TcpSocket::get_protocol_option(int name, size_t max) {
  switch (name) {
    case TCP_NODELAY:
      return opt_of_int(tcp.nodelay);
    case TCP_MAXSEG: {
      const TcpState s = state();
      if (tcp.maxseg != 0 && (s == TcpState::close || s == TcpState::listen)) return opt_of_int(tcp.maxseg);
      return opt_of_int(link_ ? static_cast<int>(TcpLink::MSS) : MSS_DEFAULT);
    }
    case TCP_CORK:
      return opt_of_int(tcp.cork);
    case TCP_KEEPIDLE:
      return opt_of_int(tcp.keepidle);
    case TCP_KEEPINTVL:
      return opt_of_int(tcp.keepintvl);
    case TCP_KEEPCNT:
      return opt_of_int(tcp.keepcnt);
    case TCP_SYNCNT:
      return opt_of_int(tcp.syncnt != 0 ? tcp.syncnt : SYN_RETRIES);
    case TCP_LINGER2:
      return opt_of_int(tcp.linger2 == 0 ? 60 : tcp.linger2);
    case TCP_DEFER_ACCEPT: {
      // Kept as a number of SYN-ACK repetitions: 1, 3, 7, 15, ... seconds.
      int seconds = 0;
      while (seconds < tcp.defer_accept && seconds < 120) seconds = seconds * 2 + 1;
      return opt_of_int(seconds);
    }
    case TCP_WINDOW_CLAMP:
      return opt_of_int(tcp.window_clamp);
    case TCP_INFO:
      return info();
    case TCP_QUICKACK:
      return opt_of_int(tcp.quickack);
    case TCP_CONGESTION: {
      OptOut name_bytes(CONGESTION_NAME_MAX);
      std::copy(tcp.congestion.begin(), tcp.congestion.end(), name_bytes.begin());
      if (max < name_bytes.size()) name_bytes.resize(max);
      return name_bytes;
    }
    case TCP_USER_TIMEOUT:
      return opt_of_int(tcp.user_timeout);
    case TCP_NOTSENT_LOWAT:
      return opt_of_int(tcp.notsent_lowat);
    case TCP_INQ:
      return opt_of_int(tcp.inq);
    default:
      return Error{ENOPROTOOPT};
  }
}

OptOut TcpSocket::info() const {
  TcpInfo i{};
  i.state = static_cast<uint8_t>(state());
  i.rto = 204000;
  i.snd_mss = i.rcv_mss = MSS_DEFAULT;
  i.snd_ssthresh = INT32_MAX;
  i.snd_cwnd = 10;
  i.reordering = 3;
  i.max_pacing_rate = UINT64_MAX;
  if (state() == TcpState::listen) {
    // Listeners report their queue in these two (tcp_get_info()).
    i.unacked = static_cast<uint32_t>(accept_queue_.size());
    i.sacked = static_cast<uint32_t>(backlog_);
  }
  if (link_) {
    i.options = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE;
    i.wscale = 7 | 7 << 4;
    i.snd_mss = 32768;
    i.pmtu = 65535;
    i.rcv_ssthresh = i.advmss = i.rcv_space = static_cast<uint32_t>(TcpLink::MSS);
    i.rtt = 20;
    i.rttvar = 10;
    i.min_rtt = 10;
    i.bytes_acked = i.bytes_sent = link_->bytes_sent(side_);
    i.bytes_received = link_->bytes_received(side_);
    i.notsent_bytes = static_cast<uint32_t>(link_->unsent(side_));
    i.snd_wnd = 65536;
  }
  return opt_bytes(i);
}

}  // namespace starry
