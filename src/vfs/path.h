// A place in the mount tree (struct path): which mount, which dentry.
#pragma once

#include "emulated_kernel/base/ref.h"

namespace starry {

class Mount;   // vfs/mount.h
class Dentry;  // vfs/dentry.h

struct Path {
  Ref<Mount> mount;
  Ref<Dentry> dentry;
  Path();
  Path(Ref<Mount> m, Ref<Dentry> d);
  Path(const Path&);
  Path(Path&&) noexcept;
  Path& operator=(const Path&);
  Path& operator=(Path&&) noexcept;
  ~Path();
  explicit operator bool() const { return static_cast<bool>(dentry); }
};

}  // namespace starry
