// sysfs (sysfs(5)): what programs look up about processors, memory nodes and network interfaces.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "vfs/inode.h"

namespace starry {

// Registers the file system type "sysfs". Once, at boot.
void init_sysfs();

// The root directory: what mounting gives. Its CPUs are those of the scheduler at the first call.
Ref<Inode> sysfs_root();

// Adds or replaces the file at `path` (relative to /sys); directories are made.
void sys_register(std::string_view path, uint32_t perm, std::function<std::string()> show);

}  // namespace starry
