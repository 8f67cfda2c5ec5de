#include "emulated_kernel/task/cpu_limit.h"

#include <csignal>

#include <algorithm>
#include <map>

#include "emulated_kernel/sched/policy.h"
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
    const uint64_t next = std::min(check_cpu(), check_rttime());
    if (next != RLIM_INF) timer.arm(platform().monotonic_ns() + std::max(next, LEAST_NS));
  }

  // These two return how long it takes at least until their limit is reached.
  uint64_t check_cpu() {
    Rlimits::Limit& limit = group.rlimits.limits[RLIMIT_CPU];
    if (limit.cur == RLIM_INF) return RLIM_INF;
    const uint64_t used = cpu_times(group).total();
    if (!enforce(limit, used, NS_PER_S)) return RLIM_INF;
    // Not before all threads together can have used up what is left.
    const auto parallel =
        std::min<uint64_t>(group.threads.size(), static_cast<uint64_t>(scheduler().cpu_count()));
    return left(limit, used, NS_PER_S) / parallel;
  }

  uint64_t check_rttime() {
    Rlimits::Limit& limit = group.rlimits.limits[RLIMIT_RTTIME];
    if (limit.cur == RLIM_INF) return RLIM_INF;
    uint64_t most = 0;
    std::map<pid_t, Awake> now;
    for (Task* t : group.threads) {
      if (!is_rt_policy(t->se.policy)) continue;
      const uint64_t used = cpu_times(*t).total();
      const auto before = awake.find(t->tid);
      const bool slept = before == awake.end() || before->second.sleeps != t->se.sleeps;
      now[t->tid] = slept ? Awake{t->se.sleeps, used} : before->second;
      most = std::max(most, used - now[t->tid].cpu_ns);
    }
    awake = std::move(now);
    if (most > 0 && !enforce(limit, most, NS_PER_US)) return RLIM_INF;
    // When a thread slept is only seen here: to an eighth of the limit.
    return std::min(left(limit, most, NS_PER_US), to_ns(limit.cur, NS_PER_US) / 8);
  }

  // False: the hard limit is reached, and that is the end.
  bool enforce(Rlimits::Limit& limit, uint64_t used, uint64_t unit) {
    if (limit.max != RLIM_INF && used >= to_ns(limit.max, unit)) {
      (void)send_signal(group, siginfo_kernel(SIGKILL));
      return false;
    }
    if (used >= to_ns(limit.cur, unit)) {
      (void)send_signal(group, siginfo_kernel(SIGXCPU));
      // The next one in a second; visible, as on Linux.
      limit.cur = std::max(limit.cur, unit == NS_PER_S ? used / unit : 0) + NS_PER_S / unit;
    }
    return true;
  }

  static constexpr uint64_t NS_PER_S = 1'000'000'000, NS_PER_US = 1'000, LEAST_NS = 10'000'000;
  static uint64_t to_ns(uint64_t limit, uint64_t unit) { return std::min(limit, RLIM_INF / 2 / unit) * unit; }
  static uint64_t left(const Rlimits::Limit& limit, uint64_t used, uint64_t unit) {
    return std::max(to_ns(limit.cur, unit), used) - used;
  }

  // Of each real-time thread: its CPU time when it was first seen after it had slept.
  struct Awake {
    uint64_t sleeps, cpu_ns;
  };
  std::map<pid_t, Awake> awake;
  ThreadGroup& group;
  Timer timer{[this] { check(); }};
};

void watch_cpu_limits(ThreadGroup& g) {
  g.cpu_limit_watch.reset();
  if (g.rlimits.cur(RLIMIT_CPU) == RLIM_INF && g.rlimits.cur(RLIMIT_RTTIME) == RLIM_INF) return;
  g.cpu_limit_watch = std::make_shared<CpuLimitWatch>(g);
  g.cpu_limit_watch->timer.arm(platform().monotonic_ns());
}

}  // namespace starry
