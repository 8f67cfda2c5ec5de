#include "tracer/ctl/client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "tracer/instance.h"
#include "tracer/start_error.h"

namespace starry::ctl {
namespace {

// -1 with errno if nobody listens.
int connect_to(const ControlSocketPath& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.get().size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(address.sun_path, path.get().c_str(), path.get().size() + 1);
  OwnedFd s(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!s || connect(s.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
  return s.release();
}

}  // namespace

Client::Client(const std::string& instance) : instance_(instance) {
  socket_ = OwnedFd(connect_to(ControlSocketPath(instance)));
  if (socket_) return;
  if (errno == ENOENT || errno == ECONNREFUSED) start_error("no instance named '{}' is running", instance);
  start_error("cannot reach '{}': {}", instance, strerror(errno));
}

void Client::send(const Message& m, std::span<const int> fds) {
  // A refusal may already be waiting to be read: whoever cannot send goes on to receive().
  (void)control::send_all(socket(), control::encode(m), fds);
}

void Client::send_data(std::string_view bytes) {
  (void)control::send_all(socket(), control::encode_data(bytes));
}

control::Frame Client::receive() {
  for (;;) {
    control::Frame f;
    if (!control::receive_frame(socket(), parser_, f)) start_error("'{}' has ended", instance_);
    if (f.is_data) return f;
    if (f.message.contains("warning")) {
      fmt::print(stderr, "starryctl: {}\n", control::text(f.message, "warning"));
      continue;
    }
    if (f.message.contains("error"))
      throw Failed{control::text(f.message, "error"),
                   static_cast<int>(control::number(f.message, "status", EXIT_STARRYRUN_FAILED))};
    return f;
  }
}

bool alive(const std::string& instance) {
  const ControlSocketPath path(instance);
  const OwnedFd s(connect_to(path));
  if (!s && errno == ECONNREFUSED) unlink(path.get().c_str());
  return static_cast<bool>(s);
}

}  // namespace starry::ctl
