// Running instances by name: where their sockets and locks are. Used by starryrun and by starryctl.
#pragma once

#include <string>
#include <vector>

#include "tracer/owned_fd.h"

namespace starry {

// $XDG_RUNTIME_DIR/starryrun, else /tmp/starryrun-UID; made if absent, ours alone (0700). StartError.
std::string runtime_dir();
// The control socket of an instance as bind(2) and connect(2) take it, however long the real path is.
class ControlSocketPath {
 public:
  explicit ControlSocketPath(const std::string& name);
  const std::string& get() const { return path_; }

 private:
  OwnedFd dir_;
  std::string path_;  // through /proc/self/fd
};
// Names that have a socket, sorted; some may be dead.
std::vector<std::string> instance_names();

// Holds an exclusive flock(2) on a file or directory while it lives.
class HostLock {
 public:
  HostLock() = default;
  // Creates the file `path`; `path` may be a directory that exists. False: another process holds it.
  // StartError if that cannot be found out.
  bool take(const std::string& path);
  HostLock(HostLock&& o) noexcept : fd_(o.fd_), path_(std::move(o.path_)) { o.fd_ = -1; }
  HostLock& operator=(HostLock&&) = delete;
  ~HostLock();
  void remove_on_release() { remove_ = true; }

 private:
  int fd_ = -1;
  std::string path_;
  bool remove_ = false;
};

}  // namespace starry
