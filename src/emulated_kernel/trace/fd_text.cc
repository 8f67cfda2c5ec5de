#include "emulated_kernel/trace/fd_text.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "emulated_kernel/fd/pidfd.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/trace/printer.h"
#include "netstack/socket.h"
#include "netstack/unix_socket.h"
#include "vfs/fs_context.h"
#include "vfs/vfs.h"

namespace starry::trace {
namespace {

// "[::1]:80", "127.0.0.1:80"
std::string inet_text(const SockAddr& a) {
  char text[INET6_ADDRSTRLEN];
  if (a.family() == AF_INET) {
    const auto in = a.as<sockaddr_in>();
    return fmt::format("{}:{}", inet_ntop(AF_INET, &in.sin_addr, text, sizeof text), ntohs(in.sin_port));
  }
  const auto in6 = a.as<sockaddr_in6>();
  return fmt::format("[{}]:{}", inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text), ntohs(in6.sin6_port));
}

bool has_port(const SockAddr& a) { return a.len >= sizeof(sockaddr_in) && a.as<sockaddr_in>().sin_port != 0; }

// As strace learns it from sock_diag(7): "TCP:[127.0.0.1:5000->127.0.0.1:80]"; the inode if it has no name.
std::string inet_socket_text(Socket& s) {
  std::string protocol = s.type() == SOCK_STREAM ? "TCP" : s.type() == SOCK_DGRAM ? "UDP" : "RAW";
  if (s.family() == AF_INET6) protocol += "v6";
  Result<SockAddr> local = s.local_name();
  if (!local || !has_port(*local)) return fmt::format("{}:[{}]", protocol, s.ino());
  Result<SockAddr> peer = s.peer_name();
  if (!peer || !has_port(*peer)) return fmt::format("{}:[{}]", protocol, inet_text(*local));
  return fmt::format("{}:[{}->{}]", protocol, inet_text(*local), inet_text(*peer));
}

// "UNIX-STREAM:[12->13,\"/run/x\"]"
std::string unix_socket_text(const UnixSocket& s) {
  std::string text = s.type() == SOCK_STREAM  ? "UNIX-STREAM:["
                     : s.type() == SOCK_DGRAM ? "UNIX-DGRAM:["
                                              : "UNIX-SEQPACKET:[";
  text += std::to_string(s.ino());
  if (s.peer() != nullptr) text += fmt::format("->{}", s.peer()->ino());
  Result<SockAddr> name = const_cast<UnixSocket&>(s).local_name();
  constexpr size_t PATH_AT = offsetof(sockaddr_un, sun_path);
  if (name && name->len > PATH_AT) {
    const auto un = name->as<sockaddr_un>();
    std::string_view path(un.sun_path, name->len - PATH_AT);
    text += un.sun_path[0] == '\0' ? ",@" : ",";
    append_quoted(text, un.sun_path[0] == '\0' ? path.substr(1) : path.substr(0, path.find('\0')));
  }
  return text + "]";
}

std::string device_text(File& f) {
  Result<Kstat> st = vfs_file_stat(f);
  if (!st || (!S_ISCHR(st->mode) && !S_ISBLK(st->mode))) return {};
  return fmt::format("<{} {}:{}>", S_ISBLK(st->mode) ? "block" : "char", major(st->rdev), minor(st->rdev));
}

std::string details_text(File& f) {
  if (auto* s = dynamic_cast<Socket*>(&f)) {
    if (s->family() == AF_INET || s->family() == AF_INET6) return inet_socket_text(*s);
    if (auto* u = dynamic_cast<UnixSocket*>(s)) return unix_socket_text(*u);
  }
  if (const ThreadGroup* g = pidfd_group(f)) return fmt::format("pid:{}", g->tgid);
  return {};
}

}  // namespace

std::string fd_path(Task& t, int fd) {
  if (t.fs == nullptr || t.files == nullptr) return {};
  if (fd == AT_FDCWD) return vfs_path_name(t.fs->cwd, t.fs->root);
  File* f = t.file(fd);
  return f != nullptr ? vfs_file_name(t, *f) : std::string();
}

std::string fd_text(Task& t, int fd, bool details) {
  constexpr std::string_view DELETED = " (deleted)";
  std::string path = fd_path(t, fd);
  if (path.empty()) return {};
  const bool deleted = path.ends_with(DELETED);
  if (deleted) path.resize(path.size() - DELETED.size());
  std::string quoted;
  append_quoted(quoted, path, QuoteStyle::C);
  path = quoted.substr(1, quoted.size() - 2);
  if (File* f = details && fd >= 0 ? t.file(fd) : nullptr; f != nullptr) {
    if (std::string more = details_text(*f); !more.empty()) return "<" + more + ">";
    path += device_text(*f);
  }
  return "<" + path + ">" + (deleted ? "(deleted)" : "");
}

}  // namespace starry::trace
