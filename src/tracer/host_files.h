// The host's file system behind the emulated one: HostFiles with real system calls.
#pragma once

#include "emulated_kernel/platform_files.h"

namespace starry {

// Made once; lives until the process ends. Installs itself with set_host_files().
void install_host_files();

}  // namespace starry
