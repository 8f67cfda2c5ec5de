#include "emulated_kernel/fd/anon_inode.h"

#include "emulated_kernel/base/timespec.h"
#include "emulated_kernel/platform.h"

namespace starry {

uint64_t alloc_anon_ino() {
  static uint64_t next = 10000;
  return next++;
}

timespec realtime_timespec() { return timespec_from_ns(platform().realtime_coarse_ns()); }

Result<Kstat> AnonFile::stat() {
  static const uint64_t ino = alloc_anon_ino();
  static const timespec boot = realtime_timespec();
  Kstat st;
  st.dev = ANON_INODE_DEV;
  st.ino = ino;
  st.mode = 0600;
  st.atime = st.mtime = st.ctime = boot;
  return st;
}

std::string AnonFile::describe() const { return std::string("anon_inode:") + kind_; }

}  // namespace starry
