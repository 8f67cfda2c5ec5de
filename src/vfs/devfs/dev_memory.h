// The memory devices: null, zero, full, random, urandom.
#pragma once

#include "vfs/special.h"

namespace starry {

// Drivers by the factory names of devices.def.
#define DEV_MEMORY(name, minor, mode, factory) \
  Result<Ref<File>> factory(Inode& inode, const Path& where, int flags);
#define DEV_NODE(name, major, minor, mode)
#define DEV_LINK(name, target)
#define DEV_DIR(name, mode)
#include "vfs/devfs/devices.def"
#include "vfs/devfs/devices_undef.h"

}  // namespace starry
