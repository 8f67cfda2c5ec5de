// devpts: the file system of pseudo-terminal slaves, mounted on /dev/pts (pty(7)). One instance, as
// all guests share one set of terminals. The nodes come and go with the terminals (tty/pty.cc).
#pragma once

#include <cstdint>

#include "vfs/inode.h"

namespace starry {

// Registers the file system type.
void devpts_init();
// The node /dev/pts/INDEX of a new terminal; the group and the mode come from the mount options.
Ref<Inode> devpts_add(unsigned index, uint64_t rdev, uint32_t uid, uint32_t gid);
void devpts_remove(unsigned index);
// /dev/pts/ptmx
Inode* devpts_ptmx();

}  // namespace starry
