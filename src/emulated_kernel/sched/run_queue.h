// One emulated CPU: what runs on it, what waits for it, and its time accounts.
#pragma once

#include "emulated_kernel/sched/fair_queue.h"
#include "emulated_kernel/sched/rt_queue.h"

namespace starry {

struct RunQueue {
  SchedEntity* current = nullptr;
  RtQueue rt;  // classes from the highest to the lowest
  FairQueue fair;
  // A queued task that waits for `current`, which has woken it, to block: other CPUs leave it here until
  // then.
  SchedEntity* handoff = nullptr;
  uint64_t handoff_until_ns = 0;
  uint64_t idle_since_ns = 0, idle_total_ns = 0, started_ns = 0;

  ClassQueue& class_of(const SchedEntity& se) {
    if (se.rt_rank() > 0) return rt;
    return fair;
  }
  size_t queued() const { return rt.size() + fair.size(); }
  size_t load() const { return queued() + (current != nullptr ? 1 : 0); }
  SchedEntity* best() const {
    if (SchedEntity* se = rt.first()) return se;
    return fair.first();
  }
  // The real-time rank that a newcomer must exceed to get this CPU at once: of what runs or will run
  // after the pre-emption that is under way. 0: fair class, -1: nothing at all.
  int rank() const {
    int r = current != nullptr ? current->rt_rank() : -1;
    if (const SchedEntity* se = best(); se != nullptr && se->rt_rank() > r) r = se->rt_rank();
    return r;
  }
  void charge(uint64_t now) {
    if (current == nullptr || now <= current->run_since_ns) return;
    const uint64_t delta = now - current->run_since_ns;
    current->run_since_ns = now;
    current->sum_exec_ns += delta;
    class_of(*current).charge(*current, delta);
  }
};

}  // namespace starry
