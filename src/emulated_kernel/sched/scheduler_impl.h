// Inside of Scheduler. Invariants, which tests/unit/sched_property_test.cc checks after every step:
//  - a CPU's current task is `running` on it; a queued task is in the queue of a CPU that it may use;
//  - no task waits while a CPU that it may use is idle (after pick()), but for a moment on its waker's CPU,
//  and for
//    fair tasks while that CPU is kept free;
//  - no real-time task waits while a CPU that it may use runs a lower rank, unless that CPU has been
//    asked to give way.
#pragma once

#include <vector>

#include "emulated_kernel/sched/run_queue.h"
#include "emulated_kernel/sched/scheduler.h"

namespace starry {

struct Scheduler::Impl {
  SchedHooks& hooks;
  std::vector<RunQueue> cpus;
  CpuMask existing;   // the CPUs 0 .. count-1
  CpuMask idle;       // without a current task
  CpuMask ready;      // idle, but with something in their own queue
  CpuMask kept_free;  // see keep_free()
  size_t queued = 0, rt_queued = 0, running = 0;
  bool pull_useful = false;  // something changed since idle CPUs last looked elsewhere in vain
  mutable uint64_t next_tick = UINT64_MAX;
  mutable bool next_tick_known = true;
  uint64_t next_handoff_end = UINT64_MAX;  // no hand-over ends before

  Impl(int n, SchedHooks& h, uint64_t now);
  RunQueue& rq(int cpu) { return cpus[bit(cpu)]; }
  const RunQueue& rq(int cpu) const { return cpus[bit(cpu)]; }
  static constexpr size_t bit(int cpu) { return static_cast<size_t>(cpu); }
  int count() const { return static_cast<int>(cpus.size()); }
  bool may_use(const SchedEntity& se, int cpu) const { return se.affinity.test(bit(cpu)); }
  // The CPUs that it may use, without those that it should leave alone.
  CpuMask good_cpus(const SchedEntity& se) const {
    const CpuMask good = se.affinity & existing & ~kept_free;
    return se.rt_rank() > 0 || good.none() ? se.affinity : good;
  }
  bool good_for(const SchedEntity& se, int cpu) const {
    return may_use(se, cpu) && (!kept_free.test(bit(cpu)) || good_cpus(se).test(bit(cpu)));
  }
  bool free_for(const SchedEntity& se, int cpu) const {
    return cpu >= 0 && idle.test(bit(cpu)) && !ready.test(bit(cpu)) && good_for(se, cpu);
  }

  // placement.cc: where a task should go, and what a CPU should take.
  int place(const SchedEntity& se) const;
  int least_loaded(const SchedEntity& se) const;
  SchedEntity* pull_rt(int cpu, int above_rank) const;
  SchedEntity* pull_fair(int cpu) const;
  int highest_ready() const;

  // handoff.cc: a waker that blocks leaves its CPU to the one that it has woken.
  bool wants_handoff(const SchedEntity& se, SchedEntity& waker, int otherwise) const;
  void begin_handoff(SchedEntity& se, const SchedEntity& waker, uint64_t now);
  void waker_blocks(SchedEntity& waker);
  void end_handoffs(uint64_t now);

  // scheduler.cc: taking it there.
  void move_to_cpu(SchedEntity& se, int cpu);
  void enqueue(SchedEntity& se, int cpu, Place place);
  void dequeue(SchedEntity& se);
  void arrive(SchedEntity& se, int cpu, Place place, uint64_t now);
  void push_rt(int cpu, uint64_t now);
  void leave_cpu(SchedEntity& se, uint64_t now);
  void put_back(SchedEntity& se, Place place, uint64_t now);
  void run(SchedEntity& se, int cpu, uint64_t now);
  void ask_to_leave(SchedEntity& current);
  template <class Change>
  void change_rank(SchedEntity& se, uint64_t now, Change change);
};

}  // namespace starry
