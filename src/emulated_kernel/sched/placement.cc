// Which CPU for a task, and which task for a CPU.
#include <algorithm>
#include <tuple>

#include "emulated_kernel/sched/scheduler_impl.h"

namespace starry {

// A free CPU, the last one first; else the one that runs the least important thing, the least loaded
// of those, again the last one first.
int Scheduler::Impl::place(const SchedEntity& se) const {
  if (free_for(se, se.cpu)) return se.cpu;
  const CpuMask free = idle & ~ready & good_cpus(se);
  if (const size_t cpu = free._Find_first(); cpu < MAX_CPUS) return static_cast<int>(cpu);
  std::tuple<int, size_t, bool> least{};
  int best = -1;
  for (int cpu = 0; cpu < count(); cpu++) {
    if (!good_for(se, cpu)) continue;
    const std::tuple key{std::max(rq(cpu).rank(), 0), rq(cpu).load(), cpu != se.cpu};
    if (best < 0 || key < least) {
      best = cpu;
      least = key;
    }
  }
  return best;
}

// A CPU that `se` may use and that has at least two tasks less than its own one; else its own one.
int Scheduler::Impl::least_loaded(const SchedEntity& se) const {
  int best = se.cpu;
  size_t least = rq(se.cpu).load();
  for (int cpu = 0; cpu < count(); cpu++) {
    const RunQueue& q = rq(cpu);
    if (good_for(se, cpu) && q.rank() <= 0 && q.load() + 2 <= least) {
      best = cpu;
      least = q.load();
    }
  }
  return best;
}

// The most important real-time task above a rank that waits for another CPU and may use this one.
SchedEntity* Scheduler::Impl::pull_rt(int cpu, int above_rank) const {
  SchedEntity* best = nullptr;
  for (int other = 0; other < count(); other++) {
    if (other == cpu || rq(other).rt.size() == 0) continue;
    SchedEntity* se = rq(other).rt.first_allowed(cpu);
    if (se != nullptr && se->rt_rank() > above_rank) {
      best = se;
      above_rank = se->rt_rank();
    }
  }
  return best;
}

// A task of the longest queue that has one for us.
SchedEntity* Scheduler::Impl::pull_fair(int cpu) const {
  if (kept_free.test(bit(cpu))) return nullptr;
  SchedEntity* best = nullptr;
  size_t longest = 0;
  for (int other = 0; other < count(); other++) {
    const FairQueue& q = rq(other).fair;
    if (other == cpu || q.size() <= longest) continue;
    if (SchedEntity* se = q.first_allowed(cpu, rq(other).handoff)) {
      best = se;
      longest = q.size();
    }
  }
  return best;
}

// The idle CPU whose own queue has the most important task; -1 if there is none.
int Scheduler::Impl::highest_ready() const {
  int best = -1;
  for (size_t cpu = ready._Find_first(); cpu < MAX_CPUS; cpu = ready._Find_next(cpu)) {
    if (best < 0 || cpus[cpu].rank() > rq(best).rank()) best = static_cast<int>(cpu);
  }
  return best;
}

}  // namespace starry
