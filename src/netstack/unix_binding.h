// What a socket inode points to (vfs_bind_unix(), vfs_find_unix()): the AF_UNIX socket bound there.
#pragma once

namespace starry {

class UnixSocket;

class UnixBinding {
 public:
  explicit UnixBinding(UnixSocket& s) : socket_(s) {}
  UnixBinding(const UnixBinding&) = delete;
  UnixBinding& operator=(const UnixBinding&) = delete;
  UnixSocket& socket() const { return socket_; }

 private:
  UnixSocket& socket_;
};

}  // namespace starry
