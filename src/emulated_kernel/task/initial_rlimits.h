// Limits of processes that come from outside (spawn_process); a profile may set them before the first.
#pragma once

#include "emulated_kernel/task/rlimits.h"

namespace starry {

Rlimits& initial_rlimits();

}  // namespace starry
