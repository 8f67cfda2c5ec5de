#include "netstack/socket.h"

#include <netinet/in.h>
#include <sys/uio.h>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/platform.h"
#include "netstack/sockopt.h"
#include "vfs/inode.h"

namespace starry {

namespace {
auto& all_sockets() {
  static boost::intrusive::list<Socket, boost::intrusive::constant_time_size<false>> list;
  return list;
}
}  // namespace

Socket::Socket(int family, int type, int protocol, Ref<NetNamespace> net)
    : File(O_RDWR),
      family_(family),
      type_(type),
      protocol_(protocol),
      owner_(net_caller()),
      net_(std::move(net)) {
  attr_.dev = SOCKFS_DEV;
  attr_.ino = alloc_anon_ino();
  attr_.mode = S_IFSOCK | 0777;
  attr_.uid = owner_.euid;
  attr_.gid = owner_.egid;
  all_sockets().push_back(*this);
}

void for_each_socket(const std::function<void(Socket&)>& fn) {
  for (Socket& s : all_sockets()) fn(s);
}

void for_each_socket(const NetNamespace& net, const std::function<void(Socket&)>& fn) {
  for (Socket& s : all_sockets())
    if (&s.net() == &net) fn(s);
}

Result<size_t> Socket::read(IoVec& to, int64_t*, int flags) {
  if (to.empty()) return size_t{0};
  RecvMsg m{&to};
  if (flags & RWF_NOWAIT) m.flags |= MSG_DONTWAIT;
  return recv(m);
}

Result<size_t> Socket::write(IoVec& from, int64_t*, int flags) {
  SendMsg m{&from};
  if (flags & RWF_NOWAIT) m.flags |= MSG_DONTWAIT;
  if (type_ == SOCK_SEQPACKET) m.flags |= MSG_EOR;
  return send(m);
}

Result<void> Socket::setattr(const SetAttr& a) {
  apply_setattr(attr_, a);
  return {};
}

std::string Socket::describe() const { return "socket:[" + std::to_string(attr_.ino) + "]"; }

Error Socket::broken_pipe(int msg_flags) {
  if (!(msg_flags & MSG_NOSIGNAL)) raise_sigpipe();
  return Error{EPIPE};
}

void Socket::add_timestamp(RecvMsg& m, uint64_t realtime_ns) const {
  const auto sec = static_cast<time_t>(realtime_ns / 1000000000);
  const auto nsec = static_cast<long>(realtime_ns % 1000000000);
  if (opt.timestamp) m.control.push_back({SOL_SOCKET, SO_TIMESTAMP, opt_bytes(timeval{sec, nsec / 1000})});
  if (opt.timestamp_ns) m.control.push_back({SOL_SOCKET, SO_TIMESTAMPNS, opt_bytes(timespec{sec, nsec})});
}

std::string socket_protocol_name(const File& f) {
  const auto* s = dynamic_cast<const Socket*>(&f);
  if (s == nullptr) return {};
  switch (s->family()) {
    case AF_UNIX:
      return s->type() == SOCK_STREAM ? "UNIX-STREAM" : "UNIX";
    case AF_NETLINK:
      return "NETLINK";
    default:
      break;
  }
  const bool ping = s->protocol() == IPPROTO_ICMP || s->protocol() == IPPROTO_ICMPV6;
  const std::string name = s->type() == SOCK_STREAM ? "TCP" : ping ? "PING" : "UDP";
  return s->family() == AF_INET6 ? name + "v6" : name;
}

Result<void> Socket::set_option(int level, int name, OptIn value) {
  if (level == SOL_SOCKET) return set_socket_option(name, value);
  return Error{EOPNOTSUPP};
}

Result<OptOut> Socket::get_option(int level, int name, size_t max) {
  if (level == SOL_SOCKET) return get_socket_option(name, max);
  return Error{EOPNOTSUPP};
}

}  // namespace starry
