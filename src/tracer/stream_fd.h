// A descriptor that starryrun was started with (or was sent), used without ever waiting and without
// changing what other programs see of it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "emulated_kernel/base/result.h"

namespace starry {

class StreamFd {
 public:
  // Opens the file behind `fd` once more, non-blocking, where the host allows that; else duplicates it.
  // `fd` itself stays open. Bad descriptors: EBADF.
  static Result<StreamFd> from(int fd);
  // The file opened anew with other flags, for open("/dev/stdin"). EACCES, ENXIO, ...
  Result<StreamFd> reopen(int flags) const;

  StreamFd(StreamFd&& o) noexcept : fd_(o.fd_), how_(o.how_), flags_(o.flags_) { o.fd_ = -1; }
  StreamFd& operator=(StreamFd&&) = delete;
  ~StreamFd();

  int get() const { return fd_; }
  int flags() const { return flags_; }                   // of the original: access mode, O_APPEND, O_NONBLOCK
  bool can_wait() const { return how_ != How::direct; }  // else reads and writes finish at once
  // As read(2) and write(2). EAGAIN instead of waiting. `append`: RWF_APPEND.
  Result<size_t> read(void* dst, size_t n) const;
  Result<size_t> write(const void* src, size_t n, bool append = false) const;
  uint32_t ready() const;  // EPOLL* bits, now

 private:
  enum class How : uint8_t {
    direct,  // regular files, /dev/null and the like
    own,     // a description of our own, with O_NONBLOCK
    socket,  // MSG_DONTWAIT
    shared,  // RWF_NOWAIT, or poll(2) before a small transfer where the host lacks that
  };
  StreamFd(int fd, How how, int flags) : fd_(fd), how_(how), flags_(flags) {}

  int fd_;
  How how_;
  int flags_;
};

}  // namespace starry
