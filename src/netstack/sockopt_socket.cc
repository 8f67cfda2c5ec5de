// Options of level SOL_SOCKET (socket(7)).
#include <linux/capability.h>
#include <net/if.h>

#include <algorithm>

#include "netstack/socket.h"
#include "netstack/sockopt.h"

namespace starry {

namespace {

// SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF on x86-64.
constexpr int SNDBUF_MIN = 4608, RCVBUF_MIN = 2304;

// The kernel doubles what it is asked for, to allow for its own bookkeeping (socket(7)).
int doubled(int wanted, int least, bool clamp) {
  auto v = static_cast<uint32_t>(wanted);
  if (clamp) v = std::min(v, static_cast<uint32_t>(SOCK_BUF_MAX));
  if (!clamp && wanted < 0) v = 0;
  v = std::min(v, static_cast<uint32_t>(INT32_MAX / 2));
  return std::max(static_cast<int>(v) * 2, least);
}

Result<uint64_t> timeout_from(OptIn value) {
  const auto tv = opt_as<timeval>(value);
  if (tv.tv_usec < 0 || tv.tv_usec >= 1000000) return Error{EDOM};
  if (tv.tv_sec < 0) return uint64_t{0};
  if (tv.tv_sec == 0 && tv.tv_usec == 0) return uint64_t{UINT64_MAX};
  if (tv.tv_sec >= INT64_MAX / 1000000000) return uint64_t{UINT64_MAX};
  return static_cast<uint64_t>(tv.tv_sec) * 1000000000u + static_cast<uint64_t>(tv.tv_usec) * 1000u;
}

OptOut timeout_bytes(uint64_t ns) {
  timeval tv{};
  if (ns != UINT64_MAX) {
    tv.tv_sec = static_cast<time_t>(ns / 1000000000);
    tv.tv_usec = static_cast<suseconds_t>(ns % 1000000000 / 1000);
  }
  return opt_bytes(tv);
}

}  // namespace

Result<void> Socket::set_socket_option(int name, OptIn value) {
  // As in Linux, every option but SO_BINDTODEVICE is at least an int.
  if (name != SO_BINDTODEVICE && value.size() < sizeof(int)) return Error{EINVAL};
  TRY(check_sockopt_set(SOL_SOCKET, name, value.size()));
  const SockoptType value_type = find_sockopt(SOL_SOCKET, name)->type;
  const int v = value_type == SockoptType::NAME ? 0 : opt_as<int>(value);
  const bool on = v != 0;
  switch (name) {
    case SO_DEBUG:
      if (on && !net_capable(CAP_NET_ADMIN)) return Error{EACCES};
      break;
    case SO_REUSEADDR:
      opt.reuseaddr = on;
      break;
    case SO_REUSEPORT:
      opt.reuseport = on;
      break;
    case SO_DONTROUTE:
      opt.dontroute = on;
      break;
    case SO_BROADCAST:
      opt.broadcast = on;
      break;
    case SO_SNDBUFFORCE:
    case SO_RCVBUFFORCE:
      if (!net_capable(CAP_NET_ADMIN)) return Error{EPERM};
      [[fallthrough]];
    case SO_SNDBUF:
    case SO_RCVBUF:
      if (name == SO_SNDBUF || name == SO_SNDBUFFORCE) {
        opt.sndbuf = doubled(v, SNDBUF_MIN, name == SO_SNDBUF);
        opt.sndbuf_locked = true;
      } else {
        opt.rcvbuf = doubled(v, RCVBUF_MIN, name == SO_RCVBUF);
        opt.rcvbuf_locked = true;
      }
      break;
    case SO_KEEPALIVE:
      opt.keepalive = on;
      break;
    case SO_OOBINLINE:
      opt.oobinline = on;
      break;
    case SO_NO_CHECK:
      opt.no_check = on;
      break;
    case SO_PRIORITY:
      if ((v < 0 || v > 6) && !capable(CAP_NET_ADMIN)) return Error{EPERM};
      opt.priority = v;
      break;
    case SO_LINGER: {
      const auto l = opt_as<linger>(value);
      opt.linger_on = l.l_onoff != 0;
      opt.linger_seconds = opt.linger_on ? l.l_linger : opt.linger_seconds;
      break;
    }
    case SO_BSDCOMPAT:
      break;
    case SO_PASSCRED:
      opt.passcred = on;
      break;
    case SO_RCVLOWAT:
      opt.rcvlowat = v < 0 ? INT32_MAX : std::max(v, 1);
      break;
    case SO_RCVTIMEO:
      opt.rcvtimeo_ns = TRY(timeout_from(value));
      break;
    case SO_SNDTIMEO:
      opt.sndtimeo_ns = TRY(timeout_from(value));
      break;
    case SO_BINDTODEVICE: {
      std::string device(reinterpret_cast<const char*>(value.data()),
                         std::min<size_t>(value.size(), IFNAMSIZ - 1));
      device = device.c_str();
      if (!device.empty() && device != "lo") return Error{ENODEV};
      if (opt.bound_to_lo && !net_capable(CAP_NET_RAW)) return Error{EPERM};
      opt.bound_to_lo = !device.empty();
      break;
    }
    case SO_DETACH_FILTER:
      return Error{ENOENT};
    case SO_TIMESTAMP:
      opt.timestamp = on;
      opt.timestamp_ns = false;
      break;
    case SO_TIMESTAMPNS:
      opt.timestamp_ns = on;
      opt.timestamp = false;
      break;
    case SO_MARK:
      if (!capable(CAP_NET_ADMIN)) return Error{EPERM};
      opt.mark = v;
      break;
    case SO_RXQ_OVFL:
      opt.rxq_ovfl = on;
      break;
    case SO_BUSY_POLL:
      if (v > opt.busy_poll && !net_capable(CAP_NET_ADMIN)) return Error{EPERM};
      if (v < 0) return Error{EINVAL};
      opt.busy_poll = v;
      break;
    case SO_INCOMING_CPU:
      opt.incoming_cpu = v;
      break;
    default:
      return Error{ENOPROTOOPT};
  }
  options_changed();
  return {};
}

Result<OptOut> Socket::get_socket_option(int name, size_t max) {
  TRY(check_sockopt_get(SOL_SOCKET, name));
  switch (name) {
    case SO_DEBUG:
    case SO_BSDCOMPAT:
      return opt_of_int(0);
    case SO_REUSEADDR:
      return opt_of_int(opt.reuseaddr);
    case SO_REUSEPORT:
      return opt_of_int(opt.reuseport);
    case SO_TYPE:
      return opt_of_int(type_);
    case SO_PROTOCOL:
      return opt_of_int(protocol_);
    case SO_DOMAIN:
      return opt_of_int(family_);
    case SO_ERROR:
      return opt_of_int(take_error());
    case SO_DONTROUTE:
      return opt_of_int(opt.dontroute);
    case SO_BROADCAST:
      return opt_of_int(opt.broadcast);
    case SO_SNDBUF:
      return opt_of_int(opt.sndbuf);
    case SO_RCVBUF:
      return opt_of_int(opt.rcvbuf);
    case SO_KEEPALIVE:
      return opt_of_int(opt.keepalive);
    case SO_OOBINLINE:
      return opt_of_int(opt.oobinline);
    case SO_NO_CHECK:
      return opt_of_int(opt.no_check);
    case SO_PRIORITY:
      return opt_of_int(opt.priority);
    case SO_LINGER:
      return opt_bytes(linger{opt.linger_on, opt.linger_seconds});
    case SO_PASSCRED:
      return opt_of_int(opt.passcred);
    case SO_PEERCRED: {
      const auto creds = peer_creds();
      return opt_bytes(creds ? creds->shown() : ScmCreds{0, ~0u, ~0u});
    }
    case SO_RCVLOWAT:
      return opt_of_int(opt.rcvlowat);
    case SO_SNDLOWAT:
      return opt_of_int(1);
    case SO_RCVTIMEO:
      return timeout_bytes(opt.rcvtimeo_ns);
    case SO_SNDTIMEO:
      return timeout_bytes(opt.sndtimeo_ns);
    case SO_BINDTODEVICE:
      if (!opt.bound_to_lo) return OptOut{};
      if (max < IFNAMSIZ) return Error{EINVAL};
      return OptOut{'l', 'o', 0};
    case SO_PEERNAME: {
      auto peer = peer_name();
      if (!peer.ok()) return Error{ENOTCONN};
      if (peer->len < max) return Error{EINVAL};
      return OptOut(peer->bytes.begin(), peer->bytes.begin() + peer->len);
    }
    case SO_TIMESTAMP:
      return opt_of_int(opt.timestamp);
    case SO_TIMESTAMPNS:
      return opt_of_int(opt.timestamp_ns);
    case SO_ACCEPTCONN:
      return opt_of_int(accepting());
    case SO_MARK:
      return opt_of_int(opt.mark);
    case SO_RXQ_OVFL:
      return opt_of_int(opt.rxq_ovfl);
    case SO_BUSY_POLL:
      return opt_of_int(opt.busy_poll);
    case SO_INCOMING_CPU:
      return opt_of_int(opt.incoming_cpu);
    case SO_COOKIE:
      if (max < sizeof(uint64_t)) return Error{EINVAL};
      return opt_bytes(ino());
    default:
      return Error{ENOPROTOOPT};
  }
}

}  // namespace starry
