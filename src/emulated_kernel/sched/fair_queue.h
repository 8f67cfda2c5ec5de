// SCHED_OTHER, SCHED_BATCH and SCHED_IDLE: the task with the smallest virtual run time goes first.
// Virtual time passes at a speed inverse to the weight of the nice value, each nice step being a
// factor of 1.25 (sched(7)); SCHED_IDLE weighs still less than nice 19. Shaped as Linux's CFS.
#pragma once

#include "emulated_kernel/sched/class_queue.h"

namespace starry {

inline constexpr uint64_t FAIR_SLICE_NS = 4'000'000;

class FairQueue final : public ClassQueue {
 public:
  ~FairQueue() override { queue_.clear(); }
  void enqueue(SchedEntity& se, Place place) override;
  void dequeue(SchedEntity& se) override;
  SchedEntity* first() const override;
  SchedEntity* first_allowed(int cpu, const SchedEntity* except = nullptr) const override;
  void start(SchedEntity& se) override;
  void charge(SchedEntity& running, uint64_t delta) override;
  bool preempts(const SchedEntity& se, SchedEntity& running, uint64_t ran_ns) const override;
  uint64_t slice_left(const SchedEntity& running) const override;
  Place place_when_preempted(const SchedEntity&) const override { return Place::tail; }

  // The virtual clock of this CPU: no runnable task is far behind it. Never goes back.
  int64_t min_vruntime() const { return min_vruntime_; }
  // A sleeper's virtual time stood still; it comes back at most a little behind the others.
  void place_woken(SchedEntity& se) const;

 private:
  struct ByVruntime {
    bool operator()(const SchedEntity& a, const SchedEntity& b) const { return a.vruntime < b.vruntime; }
  };
  using Queue = boost::intrusive::multiset<SchedEntity, boost::intrusive::base_hook<FairHook>,
                                           boost::intrusive::compare<ByVruntime>,
                                           boost::intrusive::constant_time_size<false>>;
  Queue queue_;
  int64_t min_vruntime_ = 0;
};

// Share of the CPU relative to nice 0 = 1024.
uint64_t fair_weight(const SchedEntity& se);

}  // namespace starry
