// Process attributes that only prctl(2) reads and writes.
#pragma once

#include <linux/prctl.h>

#include <cstdint>

namespace starry {

struct PrctlState {
  int mce_kill = PR_MCE_KILL_DEFAULT;
  bool thp_disabled = false;
  bool io_flusher = false;
};

}  // namespace starry
