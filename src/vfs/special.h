// Opening of inodes that are not files of their file system: devices by number, FIFOs, sockets. Drivers
// register here, so that a node made by mknod(2) on any file system works.
#pragma once

#include <functional>

#include "vfs/inode.h"

namespace starry {

// flags as Inode::open. May suspend the fiber (FIFOs, terminals).
using SpecialOpener = std::function<Result<Ref<File>>(Inode& inode, const Path& where, int flags)>;

// Character device with this exact number (makedev), or every minor of a major if `minor` < 0.
void register_chrdev(unsigned major, int minor, SpecialOpener open);

// ENXIO: no such driver, or a socket. Used by Inode::open.
Result<Ref<File>> open_special(Inode& inode, const Path& where, int flags);

}  // namespace starry
