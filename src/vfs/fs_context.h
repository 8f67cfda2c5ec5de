// Root, current directory, umask and mount namespace of a process (struct fs_struct): shared by CLONE_FS.
#pragma once

#include "emulated_kernel/base/ref.h"
#include "vfs/mount.h"
#include "vfs/path.h"

namespace starry {

class FsContext : public RefCounted {
 public:
  Path root, cwd;
  Ref<MountNamespace> mounts;  // that of the two
  uint32_t umask = 022;
  Ref<FsContext> copy() const;
};

// Is the root directory another one than the mount namespace's?
bool is_chrooted(const FsContext& fs);

}  // namespace starry
