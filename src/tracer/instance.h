// Running instances by name: where their sockets and locks are. Used by starryrun and by starryctl.
#pragma once

#include <string>
#include <vector>

namespace starry {

// $XDG_RUNTIME_DIR/starryrun, else /tmp/starryrun-UID; made if absent, ours alone (0700). StartError.
std::string runtime_dir();
std::string control_socket_path(const std::string& name);
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
