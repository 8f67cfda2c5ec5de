// Arguments of the socket system calls: descriptors, addresses, message headers.
#pragma once

#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/task/task.h"
#include "netstack/socket.h"

namespace starry {

// ENOTSOCK.
inline Result<Ref<Socket>> as_socket(const Ref<File>& f) {
  auto* s = dynamic_cast<Socket*>(f.get());
  if (s == nullptr) return Error{ENOTSOCK};
  return Ref<Socket>(s);
}
// EBADF, ENOTSOCK.
inline Result<Ref<Socket>> get_socket(Task& t, int fd) { return as_socket(TRY(get_io_file(t, fd))); }

// move_addr_to_kernel(): EINVAL if the length is out of range, EFAULT.
inline Result<SockAddr> read_sockaddr(Task& t, UserPtr<const void> addr, int len) {
  SockAddr a;
  if (len < 0 || static_cast<size_t>(len) > a.bytes.size()) return Error{EINVAL};
  a.len = static_cast<uint32_t>(len);
  if (len > 0) TRY(t.mem().read(addr.addr, a.bytes.data(), a.len));
  return a;
}

// move_addr_to_user(): as much as fits; *lenp becomes the full length.
inline Result<void> write_sockaddr(Task& t, const SockAddr& a, UserPtr<void> addr, UserPtr<int> lenp) {
  const int room = TRY(t.mem().get(lenp));
  if (room < 0) return Error{EINVAL};
  const size_t n = std::min<size_t>(static_cast<size_t>(room), a.len);
  if (n > 0) TRY(t.mem().write(addr.addr, a.bytes.data(), n));
  return t.mem().put(lenp, static_cast<int>(a.len));
}

}  // namespace starry
