// Process attributes that only prctl(2) and procfs read and write.
#pragma once

#include <linux/prctl.h>

#include <cstdint>

namespace starry {

struct PrctlState {
  int mce_kill = PR_MCE_KILL_DEFAULT;
  bool thp_disabled = false;
  bool io_flusher = false;
  int oom_score_adj_min = 0;  // how far an unprivileged process may lower oom_score_adj
};

}  // namespace starry
