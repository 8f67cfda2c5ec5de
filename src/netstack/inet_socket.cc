#include "netstack/inet_socket.h"

namespace starry {

namespace {
constexpr int CAP_NET_BIND_SERVICE_NR = 10;
}  // namespace

InetSocket::InetSocket(int family, int type, int protocol, PortTable& ports, Ref<NetNamespace> net)
    : Socket(family, type, protocol, std::move(net)), ports_(ports) {
  local_.ip = remote_.ip = IpAddr::any(family);
}

InetSocket::~InetSocket() = default;

std::unique_ptr<PortUser> InetSocket::new_port_user(const IpAddr& ip_addr) const {
  auto u = std::make_unique<PortUser>();
  u->ip = ip_addr;
  u->v6only = ip.v6only;
  u->reuseaddr = opt.reuseaddr;
  u->reuseport = opt.reuseport;
  u->uid = owner().euid;
  return u;
}

// ip(7), ipv6(7). The order of the checks is that of __inet_bind() and __inet6_bind().
Result<void> InetSocket::bind(const SockAddr& a) {
  Endpoint want;
  if (family() == AF_INET && a.len >= sizeof(sockaddr_in) && a.family() == AF_UNSPEC &&
      a.as<sockaddr_in>().sin_addr.s_addr == htonl(INADDR_ANY)) {
    want = {IpAddr::any(AF_INET), ntohs(a.as<sockaddr_in>().sin_port)};  // as old programs do
  } else {
    want = TRY(endpoint_from(a, family()));
  }
  const bool v6 = family() == AF_INET6;
  const bool multicast_ok = type() != SOCK_STREAM;
  const bool local = want.ip.is_any() || want.ip.is_loopback() || ip.freebind || ip.transparent ||
                     (multicast_ok && (want.ip.is_multicast() || want.ip.is_broadcast()));
  if (v6 && want.ip.is_multicast() && !want.ip.is_v4() && type() == SOCK_STREAM) return Error{EINVAL};
  if (!v6 && !local) return Error{EADDRNOTAVAIL};
  if (want.port != 0 && want.port < UNPRIVILEGED_PORT_START && !capable(CAP_NET_BIND_SERVICE_NR))
    return Error{EACCES};
  if (!may_bind()) return Error{EINVAL};
  if (v6) {
    if (want.ip.is_v4() && ip.v6only) return Error{EINVAL};
    const auto in6 = a.as<sockaddr_in6>();
    if (IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr) && in6.sin6_scope_id == 0)
      return Error{EINVAL};  // of which link?
    if (!local || lo_is_down(want.ip)) return Error{EADDRNOTAVAIL};
  }
  auto user = new_port_user(want.ip);
  if (want.port != 0)
    TRY(ports_.bind(*user, want.port));
  else
    TRY(ports_.bind_ephemeral(*user));
  port_ = std::move(user);
  local_ = {want.ip, port_->port};
  user_bound_port_ = want.port != 0;
  user_bound_addr_ = !want.ip.is_any();
  auto r = after_bind();
  if (!r.ok()) {
    port_.reset();
    local_ = {IpAddr::any(family()), 0};
    user_bound_port_ = user_bound_addr_ = false;
  }
  return r;
}

// ::1 goes away with the interface, 127.0.0.0/8 stays.
bool InetSocket::lo_is_down(const IpAddr& a) const { return !net().initial && !a.is_v4() && a.is_loopback(); }

Result<void> InetSocket::bind_ephemeral() {
  if (local_.port != 0) return {};
  auto user = new_port_user(local_.ip);
  if (!ports_.bind_ephemeral(*user).ok()) return Error{EAGAIN};  // inet_autobind()
  port_ = std::move(user);
  local_.port = port_->port;
  auto r = after_bind();
  if (!r.ok()) {
    port_.reset();
    local_.port = 0;
  }
  return r;
}

Result<SockAddr> InetSocket::local_name() { return sockaddr_from(local_, family()); }

Result<SockAddr> InetSocket::peer_name() {
  if (!connected()) return Error{ENOTCONN};
  return sockaddr_from(remote_, family());
}

void InetSocket::become_ipv4() {
  set_family(AF_INET);
  if (local_.ip.is_any()) local_.ip = IpAddr::any(AF_INET);
  if (port_ && port_->ip.is_any()) port_->ip = IpAddr::any(AF_INET);
}

void InetSocket::options_changed() {
  if (!port_) return;
  port_->reuseaddr = opt.reuseaddr;
  port_->reuseport = opt.reuseport;
  port_->v6only = ip.v6only;
}

Result<Endpoint> InetSocket::resolve_remote(Endpoint to) const {
  if (to.ip.is_any()) {
    // "::" on a socket bound to an IPv4 address means its loopback.
    const bool v4 = to.ip.is_v4() || (user_bound_addr_ && local_.ip.is_v4());
    to.ip = IpAddr::loopback(v4 ? AF_INET : AF_INET6);
  }
  if (to.ip.is_v4() && family() == AF_INET6 && ip.v6only) return Error{ENETUNREACH};
  if (lo_is_down(to.ip)) return Error{EADDRNOTAVAIL};  // IPv6 finds no source address
  if (!net().initial) return Error{ENETUNREACH};
  if (to.ip.is_multicast() && to.ip.is_v4() && type() == SOCK_DGRAM) return to;
  if (!to.ip.is_loopback() && !(to.ip.is_broadcast() && to.ip.v4() != INADDR_BROADCAST))
    return Error{ENETUNREACH};
  return to;
}

Result<IpAddr> InetSocket::source_for(const IpAddr& to) const {
  if (to.is_multicast() && ip.mcast_addr != INADDR_ANY && !local_.ip.is_loopback())
    return IpAddr::v4(ip.mcast_addr);
  if (local_.ip.is_any() || local_.ip.is_multicast()) return IpAddr::loopback(to.family());
  if (local_.ip.is_v4() != to.is_v4()) return Error{local_.ip.is_v4() ? ENETUNREACH : EINVAL};
  if (!local_.ip.is_loopback()) return Error{EINVAL};
  return local_.ip;
}

}  // namespace starry
