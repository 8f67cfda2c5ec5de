// Objects that have a descriptor but no place in a file system: pipes, eventfds, epolls, sockets.
#pragma once

#include <cstdint>

#include "emulated_kernel/fd/file.h"

namespace starry {

// Device numbers of the kernel-internal mounts, in the form of st_dev.
inline constexpr uint64_t PIPEFS_DEV = 14;
inline constexpr uint64_t ANON_INODE_DEV = 15;
inline constexpr uint64_t SOCKFS_DEV = 8;

// A number that no other pipe, socket or namespace has.
uint64_t alloc_anon_ino();
timespec realtime_timespec();

// A file of the anon_inode kind: fstat(2) shows mode 0600 without a type, one shared inode.
class AnonFile : public File {
 public:
  AnonFile(const char* kind, int flags) : File(flags), kind_(kind) {}
  Result<Kstat> stat() override;
  // Seeking succeeds and does nothing (noop_llseek).
  Result<int64_t> seek(int64_t /*offset*/, int /*whence*/) override { return pos; }
  bool seekable() override { return false; }
  // "anon_inode:[eventfd]"
  std::string describe() const override;

 private:
  const char* kind_;
};

}  // namespace starry
