// Making, naming, connecting and closing down sockets.
#include <fcntl.h>
#include <sys/socket.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/syscalls/socket_args.h"

namespace starry {

namespace {

constexpr int SOCK_TYPE_MASK = 0xf;

Result<int> install(Task& t, Ref<Socket> s, int flags) {
  if (flags & SOCK_NONBLOCK) TRY(s->set_status_flags(s->flags() | O_NONBLOCK));
  return t.files->install(std::move(s), (flags & SOCK_CLOEXEC) != 0, t.rlimit(RLIMIT_NOFILE));
}

// Splits socket(2)'s type argument.
Result<int> type_flags(int* type) {
  const int flags = *type & ~SOCK_TYPE_MASK;
  if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) return Error{EINVAL};
  *type &= SOCK_TYPE_MASK;
  return flags;
}

}  // namespace

SysResult sys_socket(Task& t, int domain, int type, int protocol) {
  const int flags = TRY(type_flags(&type));
  Ref<Socket> s = TRY(socket_create(domain, type, protocol));
  return TRY(install(t, std::move(s), flags));
}

SysResult sys_socketpair(Task& t, int domain, int type, int protocol, UserPtr<int> sv) {
  const int flags = TRY(type_flags(&type));
  // Linux chooses the descriptors and stores them before it makes the sockets.
  TRY(t.mem().get(sv.cast<std::array<int, 2>>()));
  auto pair = TRY(socketpair_create(domain, type, protocol));
  const int first = TRY(install(t, pair.first, flags));
  const Result<int> second = install(t, pair.second, flags);
  if (!second.ok()) {
    t.files->remove(first);
    return second.error();
  }
  const std::array<int, 2> fds = {first, second.value()};
  if (auto r = t.mem().put(sv.cast<std::array<int, 2>>(), fds); !r.ok()) {
    t.files->remove(first);
    t.files->remove(second.value());
    return r.error();
  }
  return 0;
}

SysResult sys_bind(Task& t, int sockfd, UserPtr<const void> addr, int addrlen) {
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  const SockAddr a = TRY(read_sockaddr(t, addr, addrlen));
  TRY(s->bind(a));
  return 0;
}

SysResult sys_listen(Task& t, int sockfd, int backlog) {
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  TRY(s->listen(backlog));
  return 0;
}

SysResult sys_accept4(Task& t, int sockfd, UserPtr<void> addr, UserPtr<int> addrlen, int flags) {
  const Ref<File> file = TRY(get_io_file(t, sockfd));
  if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) return Error{EINVAL};
  const Ref<Socket> s = TRY(as_socket(file));
  // Linux reserves the descriptor first: a full table must not cost a connection.
  if (static_cast<uint64_t>(t.files->open_count()) >= t.rlimit(RLIMIT_NOFILE)) return Error{EMFILE};
  Ref<Socket> child = TRY(s->accept());
  if (addr) {
    const auto peer = child->accepted_name();
    if (!peer.ok()) return Error{ECONNABORTED};
    TRY(write_sockaddr(t, peer.value(), addr, addrlen));
  }
  return TRY(install(t, std::move(child), flags));
}

SysResult sys_accept(Task& t, int sockfd, UserPtr<void> addr, UserPtr<int> addrlen) {
  return sys_accept4(t, sockfd, addr, addrlen, 0);
}

SysResult sys_connect(Task& t, int sockfd, UserPtr<const void> addr, int addrlen) {
  const Ref<File> file = TRY(get_io_file(t, sockfd));
  const SockAddr a = TRY(read_sockaddr(t, addr, addrlen));
  TRY(TRY(as_socket(file))->connect(a));
  return 0;
}

SysResult sys_getsockname(Task& t, int sockfd, UserPtr<void> addr, UserPtr<int> addrlen) {
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  const SockAddr name = TRY(s->local_name());
  TRY(write_sockaddr(t, name, addr, addrlen));
  return 0;
}

SysResult sys_getpeername(Task& t, int sockfd, UserPtr<void> addr, UserPtr<int> addrlen) {
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  const SockAddr name = TRY(s->peer_name());
  TRY(write_sockaddr(t, name, addr, addrlen));
  return 0;
}

SysResult sys_shutdown(Task& t, int sockfd, int how) {
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  TRY(s->shutdown(how));
  return 0;
}

}  // namespace starry
