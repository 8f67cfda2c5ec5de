// Sending and receiving on sockets.
#include <sys/socket.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/timespec.h"
#include "emulated_kernel/fd/iovec_import.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/syscalls/msg_control.h"
#include "emulated_kernel/syscalls/socket_args.h"

namespace starry {

namespace {

constexpr unsigned MSG_CMSG_COMPAT_BIT = 0x80000000;
constexpr unsigned MMSG_MAX = 1024;  // UIO_MAXIOV: sendmmsg(2), recvmmsg(2) do no more at once

Result<IoVec> one_buffer(Task& t, UserAddr buf, size_t len) {
  len = std::min(len, MAX_RW_COUNT);
  if (len > GUEST_TASK_SIZE || buf > GUEST_TASK_SIZE - len) return Error{EFAULT};
  return IoVec::user(t.mem(), buf, len);
}

// copy_msghdr_from_user(): what sendmsg and recvmsg check before anything else.
struct Header {
  GuestMsghdr raw;
  std::vector<IoVec::Segment> segments;
};
Result<Header> read_header(Task& t, UserAddr msg) {
  Header h;
  h.raw = TRY(t.mem().get(UserPtr<GuestMsghdr>{msg}));
  if (h.raw.name == 0) h.raw.namelen = 0;
  if (static_cast<int32_t>(h.raw.namelen) < 0) return Error{EINVAL};
  h.raw.namelen = std::min<uint32_t>(h.raw.namelen, sizeof(sockaddr_storage));
  if (h.raw.iovlen > UIO_MAXIOV_NR) return Error{EMSGSIZE};
  h.segments = TRY(import_iovec(t.mem(), UserPtr<const GuestIovec>{h.raw.iov}, h.raw.iovlen));
  return h;
}

Result<size_t> send_one(Task& t, Socket& s, UserAddr msg, unsigned flags) {
  const Header h = TRY(read_header(t, msg));
  IoVec data(&t.mem(), h.segments);
  SendMsg m{&data};
  m.flags = static_cast<int>(flags);
  if (h.raw.namelen > 0) {
    m.name = TRY(read_sockaddr(t, UserPtr<const void>{h.raw.name}, static_cast<int>(h.raw.namelen)));
    m.has_name = true;
  }
  TRY(read_control(t, s, h.raw.control, h.raw.controllen, &m));
  return s.send(m);
}

// `namelen_at`, `controllen_at` and `flags_at` are where the results go in the guest's msghdr.
Result<size_t> recv_one(Task& t, Socket& s, UserAddr msg, unsigned flags) {
  const Header h = TRY(read_header(t, msg));
  IoVec data(&t.mem(), h.segments);
  RecvMsg m{&data};
  m.flags = static_cast<int>(flags);
  m.out_flags = static_cast<int>(flags & MSG_CMSG_CLOEXEC);
  const size_t n = TRY(s.recv(m));
  const uint64_t control_used = TRY(write_control(t, h.raw.control, h.raw.controllen, flags, &m));
  if (h.raw.name != 0) {
    const size_t room = std::min<size_t>(h.raw.namelen, m.name.len);
    if (room > 0) TRY(t.mem().write(h.raw.name, m.name.bytes.data(), room));
    TRY(t.mem().put(UserPtr<uint32_t>{msg + offsetof(GuestMsghdr, namelen)}, m.name.len));
  }
  TRY(t.mem().put(UserPtr<int32_t>{msg + offsetof(GuestMsghdr, flags)}, m.out_flags));
  TRY(t.mem().put(UserPtr<uint64_t>{msg + offsetof(GuestMsghdr, controllen)}, control_used));
  return n;
}

// Both multi-message calls: an error after the first message only ends the loop.
UserAddr nth_header(UserPtr<GuestMmsghdr> vec, unsigned i) { return vec.addr + i * sizeof(GuestMmsghdr); }
Result<void> put_length(Task& t, UserPtr<GuestMmsghdr> vec, unsigned i, size_t n) {
  return t.mem().put(UserPtr<uint32_t>{nth_header(vec, i) + offsetof(GuestMmsghdr, len)},
                     static_cast<uint32_t>(n));
}

}  // namespace

SysResult sys_sendto(Task& t, int sockfd, UserPtr<const void> buf, size_t len, unsigned flags,
                     UserPtr<const void> dest_addr, int addrlen) {
  IoVec data = TRY(one_buffer(t, buf.addr, len));
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  SendMsg m{&data};
  m.flags = static_cast<int>(flags & ~MSG_CMSG_COMPAT_BIT);
  if (dest_addr) {
    m.name = TRY(read_sockaddr(t, dest_addr, addrlen));
    m.has_name = m.name.len > 0;
  }
  return static_cast<int64_t>(TRY(s->send(m)));
}

SysResult sys_recvfrom(Task& t, int sockfd, UserPtr<void> buf, size_t len, unsigned flags,
                       UserPtr<void> src_addr, UserPtr<int> addrlen) {
  IoVec data = TRY(one_buffer(t, buf.addr, len));
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  RecvMsg m{&data};
  m.flags = static_cast<int>(flags & ~MSG_CMSG_COMPAT_BIT);
  const size_t n = TRY(s->recv(m));
  if (src_addr) TRY(write_sockaddr(t, m.name, src_addr, addrlen));
  return static_cast<int64_t>(n);
}

SysResult sys_sendmsg(Task& t, int sockfd, UserPtr<const GuestMsghdr> msg, unsigned flags) {
  if (flags & MSG_CMSG_COMPAT_BIT) return Error{EINVAL};
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  return static_cast<int64_t>(TRY(send_one(t, *s, msg.addr, flags)));
}

SysResult sys_recvmsg(Task& t, int sockfd, UserPtr<GuestMsghdr> msg, unsigned flags) {
  if (flags & MSG_CMSG_COMPAT_BIT) return Error{EINVAL};
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  return static_cast<int64_t>(TRY(recv_one(t, *s, msg.addr, flags)));
}

SysResult sys_sendmmsg(Task& t, int sockfd, UserPtr<GuestMmsghdr> msgvec, unsigned vlen, unsigned flags) {
  if (flags & MSG_CMSG_COMPAT_BIT) return Error{EINVAL};
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  vlen = std::min(vlen, MMSG_MAX);
  unsigned done = 0;
  Result<void> outcome;
  for (; done < vlen && outcome.ok(); done++) {
    const auto r = send_one(t, *s, nth_header(msgvec, done), flags);
    outcome = r.ok() ? put_length(t, msgvec, done, r.value()) : Result<void>(r.error());
    if (!outcome.ok()) break;
  }
  if (done == 0 && !outcome.ok()) return outcome.error();
  return static_cast<int64_t>(done);
}

SysResult sys_recvmmsg(Task& t, int sockfd, UserPtr<GuestMmsghdr> msgvec, unsigned vlen, unsigned flags,
                       UserPtr<timespec> timeout) {
  if (flags & MSG_CMSG_COMPAT_BIT) return Error{EINVAL};
  uint64_t end = UINT64_MAX;
  if (timeout) {
    const timespec ts = TRY(t.mem().get(timeout));
    if (!timespec_valid(ts)) return Error{EINVAL};
    end = Deadline::after(timespec_to_ns(ts)).ns;
  }
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  vlen = std::min(vlen, MMSG_MAX);
  unsigned done = 0, recv_flags = flags & ~static_cast<unsigned>(MSG_WAITFORONE);
  Result<void> outcome;
  while (done < vlen) {
    const auto r = recv_one(t, *s, nth_header(msgvec, done), recv_flags);
    outcome = r.ok() ? put_length(t, msgvec, done, r.value()) : Result<void>(r.error());
    if (!outcome.ok()) break;
    done++;
    if (flags & MSG_WAITFORONE) recv_flags |= MSG_DONTWAIT;
    // The timeout is only looked at between messages (recvmmsg(2), BUGS).
    if (timeout && platform().monotonic_ns() >= end) break;
  }
  if (done == 0 && !outcome.ok()) return outcome.error();
  if (timeout) {
    const uint64_t now = platform().monotonic_ns();
    TRY(t.mem().put(timeout, timespec_from_ns(end > now ? end - now : 0)));
  }
  return static_cast<int64_t>(done);
}

}  // namespace starry
