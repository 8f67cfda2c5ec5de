// Simulated CPUs and run queues. Decides who runs; carrying it out is the kernel loop's job through
// SchedHooks. No host calls; the clock comes from the caller, so tests use a virtual one.
//
// Policy (sched(7)): 99 FIFO/RR priorities above SCHED_OTHER; a higher priority pre-empts at once; a
// pre-empted FIFO task returns to the head of its queue, a yielding one to the tail; RR and OTHER have
// slices. Each CPU runs at most one task. A waking task goes to an idle allowed CPU (its last one
// first), else to the allowed CPU whose current task has the lowest priority, pre-empting it if lower. A task
// that is woken by one that usually blocks right afterwards waits for that instead of going to an idle CPU
// (handoff.cc), as after a synchronous wake-up of Linux: an idle CPU takes longer to start than that.
// A CPU that runs out of work pulls a task that waits elsewhere, and never runs a lower real-time
// priority while a higher one that it could run waits for another CPU.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/sched/sched_entity.h"

namespace starry {

class SchedHooks {
 public:
  virtual ~SchedHooks() = default;
  // `se` holds CPU se.cpu and must give it up soon (it is in user mode or will pass exit_to_user):
  // the kernel loop answers with Scheduler::preempt(se) and pick().
  virtual void request_resched(SchedEntity& se) = 0;
  // `se` may now run on se.cpu (state running). Called from Scheduler::pick().
  virtual void switch_to(SchedEntity& se) = 0;
};

class Scheduler {
 public:
  // `now` is when the CPUs' time accounts begin.
  Scheduler(int cpus, SchedHooks& hooks, uint64_t now = 0);
  ~Scheduler();
  int cpu_count() const;

  void init_task(SchedEntity& se);                                // a fresh OTHER task, all CPUs
  void fork_task(SchedEntity& child, const SchedEntity& parent);  // inheritance, reset-on-fork
  // blocked -> queued (or nothing). `waker`: the running task whose system call wakes it, if there is one.
  void wake(SchedEntity& se, uint64_t now, SchedEntity* waker = nullptr);
  void block(SchedEntity& se, uint64_t now);    // running -> blocked, frees its CPU
  void yield(SchedEntity& se, uint64_t now);    // running -> queued at the tail
  void preempt(SchedEntity& se, uint64_t now);  // running -> queued (head or tail by rule)
  // A running task used its CPU for `ns` less than it held it: it slept without giving the CPU up.
  void slept(SchedEntity& se, uint64_t ns, uint64_t now);
  void remove(SchedEntity& se, uint64_t now);  // exit: from whatever state
  // Gives every idle CPU its next task through SchedHooks::switch_to. Returns how many switched.
  int pick(uint64_t now);
  // Slice expiry. next_tick() is when to call tick() next; UINT64_MAX when no CPU has a competitor.
  uint64_t next_tick() const;
  void tick(uint64_t now);

  // sched_setscheduler/setparam/nice/affinity; arguments validated by the caller. May trigger
  // request_resched. EINVAL if the mask has no existing CPU.
  void set_policy(SchedEntity& se, int policy, int rt_priority, int nice, uint64_t now);
  Result<void> set_affinity(SchedEntity& se, const CpuMask& mask, uint64_t now);
  void set_pi_priority(SchedEntity& se, int prio, uint64_t now);
  // CPUs that fair tasks leave alone as long as they may use others: their host CPU has something better to
  // do.
  void keep_free(const CpuMask& cpus, uint64_t now);
  // Makes a running task pass through preempt() soon, for whatever reason.
  void request_resched(SchedEntity& se);

  SchedEntity* current_on(int cpu) const;
  bool idle(int cpu) const;
  int queued(int cpu) const;
  int nr_running() const;      // running + queued, for loadavg
  int cpus_in_use() const;     // CPUs that run a task
  bool anybody_waits() const;  // a task is queued for a CPU
  uint64_t idle_ns(int cpu, uint64_t now) const;
  uint64_t busy_ns(int cpu, uint64_t now) const;
  uint64_t rr_interval_ns(const SchedEntity& se) const;  // sched_rr_get_interval(2)

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The kernel's one scheduler (entry/kernel.cc).
Scheduler& scheduler();

}  // namespace starry
