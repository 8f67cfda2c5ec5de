#include "netstack/netlink.h"

#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include <algorithm>

#include "netstack/sockopt.h"

namespace starry {

namespace {

constexpr size_t REPLIES_MAX = 256;

std::vector<uint8_t> error_message(const nlmsghdr& request, uint32_t port_id, int error) {
  std::vector<uint8_t> bytes(NLMSG_LENGTH(sizeof(nlmsgerr)));
  nlmsghdr h{};
  h.nlmsg_len = static_cast<uint32_t>(bytes.size());
  h.nlmsg_type = NLMSG_ERROR;
  h.nlmsg_flags = NLM_F_CAPPED;
  h.nlmsg_seq = request.nlmsg_seq;
  h.nlmsg_pid = port_id;
  nlmsgerr e{};
  e.error = -error;
  e.msg = request;
  std::memcpy(bytes.data(), &h, sizeof h);
  std::memcpy(&bytes[NLMSG_HDRLEN], &e, sizeof e);
  return bytes;
}

Result<sockaddr_nl> netlink_address(const SockAddr& a) {
  if (a.len < sizeof(sockaddr_nl)) return Error{EINVAL};
  const auto nl = a.as<sockaddr_nl>();
  if (nl.nl_family != AF_NETLINK) return Error{EINVAL};
  return nl;
}

}  // namespace

NetlinkSocket::~NetlinkSocket() { net().netlink_port_ids.erase(port_id_); }

bool NetlinkSocket::claim(uint32_t id) {
  if (!net().netlink_port_ids.emplace(id, this).second) return false;
  port_id_ = id;
  return true;
}

// The first socket of a process gets its pid, others negative numbers.
void NetlinkSocket::autobind() {
  if (port_id_ != 0) return;
  if (claim(static_cast<uint32_t>(caller_sees_pid(owner().pid)))) return;
  static uint32_t next = static_cast<uint32_t>(-4097);
  while (!claim(next--)) {
  }
}

Result<void> NetlinkSocket::bind(const SockAddr& a) {
  const sockaddr_nl nl = TRY(netlink_address(a));
  if (port_id_ != 0 && nl.nl_pid != port_id_ && nl.nl_pid != 0) return Error{EINVAL};
  if (port_id_ == 0 && nl.nl_pid != 0 && !claim(nl.nl_pid)) return Error{EADDRINUSE};
  autobind();
  groups_ = nl.nl_groups;
  return {};
}

Result<void> NetlinkSocket::connect(const SockAddr& a) {
  if (a.len < sizeof(sa_family_t)) return Error{EINVAL};
  if (a.family() == AF_UNSPEC) return {};
  const sockaddr_nl nl = TRY(netlink_address(a));
  if (nl.nl_pid != 0 && !capable(CAP_NET_ADMIN)) return Error{EPERM};
  autobind();
  return {};
}

Result<SockAddr> NetlinkSocket::local_name() {
  sockaddr_nl nl{};
  nl.nl_family = AF_NETLINK;
  nl.nl_pid = port_id_;
  nl.nl_groups = groups_;
  return SockAddr::from(nl);
}

Result<SockAddr> NetlinkSocket::peer_name() {
  sockaddr_nl nl{};
  nl.nl_family = AF_NETLINK;
  return SockAddr::from(nl);
}

Result<size_t> NetlinkSocket::send(SendMsg& m) {
  if (m.flags & MSG_OOB) return Error{EOPNOTSUPP};
  if (m.has_name) {
    const sockaddr_nl nl = TRY(netlink_address(m.name));
    if (nl.nl_pid != 0 || nl.nl_groups != 0) return Error{capable(CAP_NET_ADMIN) ? ECONNREFUSED : EPERM};
  }
  autobind();
  const size_t n = m.data->remaining();
  if (n > static_cast<size_t>(opt.sndbuf)) return Error{EMSGSIZE};
  std::vector<uint8_t> bytes(n);
  if (n > 0) {
    auto got = m.data->copy_in(bytes.data(), n);
    if (!got.ok() || got.value() < n) return Error{EFAULT};
  }
  for (size_t at = 0; at + sizeof(nlmsghdr) <= n && replies_.size() < REPLIES_MAX;) {
    nlmsghdr h;
    std::memcpy(&h, &bytes[at], sizeof h);
    if (h.nlmsg_len < sizeof h || h.nlmsg_len > n - at) break;
    handle(h, std::span<const uint8_t>(bytes).subspan(at + NLMSG_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN));
    at += NLMSG_ALIGN(h.nlmsg_len);
  }
  return n;
}

void NetlinkSocket::deliver(std::vector<uint8_t> datagram) {
  replies_.push_back(std::move(datagram));
  wake(IN_EVENTS);
}

// errno, or 0 if the request was answered.
int NetlinkSocket::answer(const nlmsghdr& request, std::span<const uint8_t> payload) {
  NetlinkReplies replies{replies_, request.nlmsg_seq, port_id_, net()};
  const bool dump = (request.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  if (protocol() == NETLINK_SOCK_DIAG) {
    if (request.nlmsg_type != SOCK_DIAG_BY_FAMILY) return EINVAL;
    return dump ? sock_diag_dump(payload, replies) : sock_diag_get(payload, replies);
  }
  const bool is_get = (request.nlmsg_type - RTM_BASE) % 4 == 2;
  if (!is_get) return capable(CAP_NET_ADMIN) ? EOPNOTSUPP : EPERM;
  if (dump) return rtnetlink_dump(request, payload, replies) ? 0 : EOPNOTSUPP;
  return rtnetlink_get(request, payload, replies);
}

void NetlinkSocket::handle(const nlmsghdr& request, std::span<const uint8_t> payload) {
  if (!(request.nlmsg_flags & NLM_F_REQUEST) || request.nlmsg_type < NLMSG_MIN_TYPE) return;
  const int error = answer(request, payload);
  const bool dumped = error == 0 && (request.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;  // ends with NLMSG_DONE
  if (error != 0 || (!dumped && (request.nlmsg_flags & NLM_F_ACK)))
    replies_.push_back(error_message(request, port_id_, error));
  wake(IN_EVENTS);
}

Result<size_t> NetlinkSocket::recv(RecvMsg& m) {
  if (m.flags & MSG_OOB) return Error{EOPNOTSUPP};
  if (replies_.empty()) {
    if (dont_wait(m.flags)) return Error{EAGAIN};
    TRY(wait(
        rcv_deadline(), [&] { return !replies_.empty(); }, true));
  }
  const std::vector<uint8_t>& front = replies_.front();
  const size_t length = front.size(), copied = std::min(length, m.data->remaining());
  if (copied > 0) {
    auto r = m.data->copy_out(front.data(), copied);
    if (!r.ok() || r.value() < copied) return Error{EFAULT};
  }
  if (copied < length) m.out_flags |= MSG_TRUNC;
  m.name = TRY(peer_name());
  if (opt.passcred) m.control.push_back({SOL_SOCKET, SCM_CREDENTIALS, opt_bytes(ScmCreds{})});
  if (flag_options_ & (1u << NETLINK_PKTINFO))
    m.control.push_back({SOL_NETLINK, NETLINK_PKTINFO, opt_bytes(nl_pktinfo{0})});
  if (!(m.flags & MSG_PEEK)) replies_.pop_front();
  return m.flags & MSG_TRUNC ? length : copied;
}

uint32_t NetlinkSocket::poll() { return OUT_EVENTS | (replies_.empty() ? 0 : IN_EVENTS); }

Result<void> NetlinkSocket::set_option(int level, int name, OptIn value) {
  if (level == SOL_SOCKET) return set_socket_option(name, value);
  if (level != SOL_NETLINK) return Error{ENOPROTOOPT};
  TRY(check_sockopt_set(level, name, value.size()));
  const int v = opt_int(value);
  if (name == NETLINK_ADD_MEMBERSHIP || name == NETLINK_DROP_MEMBERSHIP) {
    if (v < 1 || v > RTNLGRP_MAX) return Error{EINVAL};
    if (v <= 32) {
      const uint32_t bit = 1u << (v - 1);
      groups_ = name == NETLINK_ADD_MEMBERSHIP ? groups_ | bit : groups_ & ~bit;
    }
    return {};
  }
  const uint32_t bit = 1u << name;
  flag_options_ = v != 0 ? flag_options_ | bit : flag_options_ & ~bit;
  return {};
}

Result<OptOut> NetlinkSocket::get_option(int level, int name, size_t max) {
  if (level == SOL_SOCKET) return get_socket_option(name, max);
  if (level != SOL_NETLINK) return Error{ENOPROTOOPT};
  TRY(check_sockopt_get(level, name));
  if (max < sizeof(int)) return Error{EINVAL};
  return opt_of_int((flag_options_ >> name) & 1);
}

}  // namespace starry
