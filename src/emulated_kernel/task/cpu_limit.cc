#include "emulated_kernel/task/cpu_limit.h"

#include <csignal>

#include <algorithm>

#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/sync/timer.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/task.h"

namespace starry {

struct CpuLimitWatch {
  explicit CpuLimitWatch(ThreadGroup& g) : group(g) {}

  void check() {
    if (group.threads.empty() || group.zombie) return;
    Rlimits::Limit& limit = group.rlimits.limits[RLIMIT_CPU];
    const uint64_t used = cpu_times(group).total();
    if (limit.max != RLIM_INF && used >= to_ns(limit.max)) {
      (void)send_signal(group, siginfo_kernel(SIGKILL));
      return;
    }
    if (limit.cur == RLIM_INF) return;
    if (used >= to_ns(limit.cur)) {
      (void)send_signal(group, siginfo_kernel(SIGXCPU));
      limit.cur = used / NS_PER_S + 1;  // the next one in a second; visible, as on Linux
    }
    // Not before all threads together can have used up what is left.
    const auto parallel =
        std::min<uint64_t>(group.threads.size(), static_cast<uint64_t>(scheduler().cpu_count()));
    constexpr uint64_t LEAST_NS = 10'000'000;
    timer.arm(platform().monotonic_ns() + std::max((to_ns(limit.cur) - used) / parallel, LEAST_NS));
  }

  static constexpr uint64_t NS_PER_S = 1'000'000'000;
  static uint64_t to_ns(uint64_t seconds) { return std::min(seconds, RLIM_INF / 2 / NS_PER_S) * NS_PER_S; }

  ThreadGroup& group;
  Timer timer{[this] { check(); }};
};

void watch_cpu_limit(ThreadGroup& g) {
  g.cpu_limit_watch.reset();
  if (g.rlimits.cur(RLIMIT_CPU) == RLIM_INF) return;
  g.cpu_limit_watch = std::make_shared<CpuLimitWatch>(g);
  g.cpu_limit_watch->timer.arm(platform().monotonic_ns());
}

}  // namespace starry
