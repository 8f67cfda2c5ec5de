// A socket as the system calls see it (struct socket and struct sock): state that all families share.
// Families: tcp.h, udp.h, unix_socket.h, netlink.h.
#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/sync/wait.h"
#include "netstack/caller.h"
#include "netstack/net_namespace.h"
#include "netstack/sockaddr.h"

namespace starry {

struct ScmCreds {  // struct ucred
  int32_t pid = 0;
  uint32_t uid = 0, gid = 0;
  bool operator==(const ScmCreds&) const = default;
  // Kernel-wide as they are kept; user space gets them like this.
  ScmCreds shown() const { return {caller_sees_pid(pid), caller_sees_uid(uid), caller_sees_gid(gid)}; }
};

// One ancillary item (cmsg(3)).
struct ControlItem {
  int level, type;
  std::vector<uint8_t> data;
};

struct SendMsg {
  IoVec* data;
  int flags = 0;  // MSG_*
  SockAddr name;  // len 0: none given
  bool has_name = false;
  std::vector<Ref<File>> files;      // SCM_RIGHTS
  std::optional<ScmCreds> creds;     // SCM_CREDENTIALS, permission checked
  std::vector<ControlItem> control;  // the rest
};

struct RecvMsg {
  IoVec* data;
  int flags = 0;
  int out_flags = 0;  // msg_flags
  SockAddr name;      // len 0: the protocol gives none
  std::vector<ControlItem> control;
  std::vector<Ref<File>> files;  // SCM_RIGHTS, to be installed by the system call
};

// SOL_SOCKET options and what goes with them (socket(7)). Inherited by accepted sockets.
struct SockOptions {
  int sndbuf = 212992, rcvbuf = 212992;  // as getsockopt shows them: doubled
  bool sndbuf_locked = false, rcvbuf_locked = false;
  bool bound_to_lo = false;  // SO_BINDTODEVICE
  int rcvlowat = 1;
  uint64_t rcvtimeo_ns = UINT64_MAX, sndtimeo_ns = UINT64_MAX;
  bool reuseaddr = false, reuseport = false, keepalive = false, broadcast = false, oobinline = false;
  bool dontroute = false, passcred = false, timestamp = false, timestamp_ns = false;
  bool linger_on = false, rxq_ovfl = false, no_check = false;
  int linger_seconds = 0;
  int priority = 0, mark = 0, busy_poll = 0, incoming_cpu = -1, peek_off = -1;
};

// What poll(2) says of a socket that can be read or written.
inline constexpr uint32_t IN_EVENTS = EPOLLIN | EPOLLRDNORM;
inline constexpr uint32_t OUT_EVENTS = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

inline constexpr int SOCK_BUF_DEFAULT = 212992;  // net.core.{r,w}mem_{default,max}
inline constexpr int SOCK_BUF_MAX = 212992;
inline constexpr int SOMAXCONN_SYSCTL = 4096;  // net.core.somaxconn

class Socket
    : public File,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Socket(int family, int type, int protocol, Ref<NetNamespace> net = caller_net());

  int family() const { return family_; }
  int type() const { return type_; }
  int protocol() const { return protocol_; }
  uint64_t ino() const { return attr_.ino; }
  const NetCaller& owner() const { return owner_; }
  NetNamespace& net() const { return *net_; }

  // The calls of the man pages' section 2. Blocking unless O_NONBLOCK is set.
  virtual Result<void> bind(const SockAddr&) { return Error{EOPNOTSUPP}; }
  virtual Result<void> listen(int /*backlog*/) { return Error{EOPNOTSUPP}; }
  virtual Result<Ref<Socket>> accept() { return Error{EOPNOTSUPP}; }
  virtual Result<void> connect(const SockAddr&) { return Error{EOPNOTSUPP}; }
  virtual Result<SockAddr> local_name() = 0;
  virtual Result<SockAddr> peer_name() { return Error{EOPNOTSUPP}; }
  // The peer as accept(2) reports it: known even if the connection has ended meanwhile.
  virtual Result<SockAddr> accepted_name() { return peer_name(); }
  virtual Result<void> shutdown(int /*how*/) { return Error{EOPNOTSUPP}; }
  virtual Result<size_t> send(SendMsg&) = 0;
  virtual Result<size_t> recv(RecvMsg&) = 0;
  // Options; see sockopt.h. ENOPROTOOPT for what the socket does not have.
  virtual Result<void> set_option(int level, int name, std::span<const uint8_t> value);
  virtual Result<std::vector<uint8_t>> get_option(int level, int name, size_t max);
  virtual int unread_bytes() { return 0; }          // SIOCINQ
  virtual int unsent_bytes() { return 0; }          // SIOCOUTQ
  virtual bool accepting() const { return false; }  // SO_ACCEPTCONN
  virtual bool at_oob_mark() { return false; }

  // File
  Result<size_t> read(IoVec& to, int64_t* pos, int flags) override;
  Result<size_t> write(IoVec& from, int64_t* pos, int flags) override;
  WaitQueue* poll_queue() override { return &queue_; }
  SysResult ioctl(Task& t, unsigned long cmd, uint64_t arg) override;
  Result<Kstat> stat() override { return attr_; }
  Result<void> setattr(const SetAttr& a) override;
  std::string describe() const override;

  SockOptions opt;

 protected:
  bool capable(int cap) const { return net_capable(cap, *net_); }
  // SOL_SOCKET rows; the rest of set_option / get_option is the family's.
  Result<void> set_socket_option(int name, std::span<const uint8_t> value);
  Result<std::vector<uint8_t>> get_socket_option(int name, size_t max);
  // Called after an option changed that other state depends on (buffer sizes, reuse flags).
  virtual void options_changed() {}
  virtual std::optional<ScmCreds> peer_creds() const { return ScmCreds{0, ~0u, ~0u}; }

  bool dont_wait(int msg_flags) const { return nonblocking() || (msg_flags & MSG_DONTWAIT); }
  Deadline rcv_deadline() const { return deadline_for(opt.rcvtimeo_ns); }
  Deadline snd_deadline() const { return deadline_for(opt.sndtimeo_ns); }
  // Sleeps on the socket's queue. A timeout is EAGAIN; a signal restarts the call only if there is no
  // timeout (signal(7)).
  template <class Cond>
  Result<void> wait(Deadline d, Cond&& cond, bool exclusive = false) {
    switch (wait_until(queue_, d, std::forward<Cond>(cond), exclusive)) {
      case Wake::event:
        return {};
      case Wake::timeout:
        return Error{EAGAIN};
      case Wake::signal:
        return Error{d.is_never() ? ERESTARTSYS : EINTR};
    }
    __builtin_unreachable();
  }
  void wake(uint32_t events) { queue_.wake(events); }
  void wake_all(uint32_t events) { queue_.wake_all(events); }
  void set_family(int family) { family_ = family; }
  int take_error() { return std::exchange(error_, 0); }
  // The stream sockets' rule: EPIPE comes with SIGPIPE unless MSG_NOSIGNAL.
  static Error broken_pipe(int msg_flags);
  // SO_TIMESTAMP, SO_TIMESTAMPNS for a datagram that arrived at `realtime_ns`.
  void add_timestamp(RecvMsg& m, uint64_t realtime_ns) const;

  WaitQueue queue_;
  int error_ = 0;          // SO_ERROR
  uint32_t shutdown_ = 0;  // RCV_SHUTDOWN | SEND_SHUTDOWN
  static constexpr uint32_t RCV_SHUTDOWN = 1, SEND_SHUTDOWN = 2, SHUTDOWN_MASK = 3;

 private:
  static Deadline deadline_for(uint64_t timeout_ns) {
    return timeout_ns == UINT64_MAX ? Deadline::never() : Deadline::after(timeout_ns);
  }
  int family_, type_, protocol_;
  Kstat attr_;  // fstat(2)
  NetCaller owner_;
  Ref<NetNamespace> net_;
};

// socket(2) without the descriptor. EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EPERM, EINVAL.
Result<Ref<Socket>> socket_create(int family, int type, int protocol);
// socketpair(2): AF_UNIX only; EOPNOTSUPP.
Result<std::pair<Ref<Socket>, Ref<Socket>>> socketpair_create(int family, int type, int protocol);

// Name of the protocol (struct proto) of a socket; empty for other files.
std::string socket_protocol_name(const File& f);

// Every live socket, for /proc/net and SOCK_DIAG.
void for_each_socket(const std::function<void(Socket&)>& fn);
void for_each_socket(const NetNamespace& net, const std::function<void(Socket&)>& fn);

}  // namespace starry
