#include "tracer/trace_file.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "tracer/console.h"
#include "tracer/start_error.h"

namespace starry {
namespace {

constexpr size_t BUFFER = 1 << 16;

}  // namespace

TraceFile::TraceFile(const std::string& path, std::string option) : path_(path), option_(std::move(option)) {
  if (path.starts_with('|')) {
    start_command(path.substr(1));
    return;
  }
  const int fd = path == "-" ? fcntl(2, F_DUPFD_CLOEXEC, 3)
                             : open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) start_error("{} {}: {}", option_, path, strerror(errno));
  file_ = OwnedFd(fd);
}

void TraceFile::start_command(const std::string& command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) start_error("{} {}: {}", option_, path_, strerror(errno));
  const OwnedFd input(ends[0]);
  file_ = OwnedFd(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.get(), 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, usual;
  sigemptyset(&none);
  sigfillset(&usual);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const char* argv[] = {"sh", "-c", command.c_str(), nullptr};
  const int rc =
      posix_spawn(&command_pid_, "/bin/sh", &actions, &attributes, const_cast<char**>(argv), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (rc != 0) start_error("{} {}: {}", option_, path_, strerror(rc));
}

TraceFile::~TraceFile() {
  flush();
  if (command_pid_ == 0) return;
  file_ = OwnedFd();
  siginfo_t info;
  // The thread that reaps guests may be faster; then there is nothing to wait for any more.
  while (waitid(P_PID, static_cast<id_t>(command_pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
}

void TraceFile::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= BUFFER) flush();
}

void TraceFile::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t n = ::write(file_.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {  // disk full: the run is worth more than its log
      if (!std::exchange(incomplete_, true))
        host_message(fmt::format("{} {}: {}: the log is incomplete", option_, path_, strerror(errno)));
      break;
    }
    rest.remove_prefix(static_cast<size_t>(n));
  }
  buffer_.clear();
}

}  // namespace starry
