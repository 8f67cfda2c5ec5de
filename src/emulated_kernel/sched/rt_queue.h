// SCHED_FIFO and SCHED_RR (sched(7)): 99 lists, one per priority, and a bitmap of those in use.
// A FIFO task runs until it blocks or yields; an RR task also until its slice is used up while an
// equal waits. A preempted task returns to the head of its list, keeping the rest of its slice.
#pragma once

#include <array>

#include "emulated_kernel/sched/class_queue.h"

namespace starry {

inline constexpr uint64_t RR_SLICE_NS = 100'000'000;  // /proc/sys/kernel/sched_rr_timeslice_ms

class RtQueue final : public ClassQueue {
 public:
  ~RtQueue() override;
  void enqueue(SchedEntity& se, Place place) override;
  void dequeue(SchedEntity& se) override;
  SchedEntity* first() const override;
  SchedEntity* first_allowed(int cpu, const SchedEntity* except = nullptr) const override;
  void start(SchedEntity& se) override;
  void charge(SchedEntity& running, uint64_t delta) override;
  bool preempts(const SchedEntity& se, SchedEntity& running, uint64_t ran_ns) const override;
  uint64_t slice_left(const SchedEntity& running) const override;
  Place place_when_preempted(const SchedEntity& running) const override;

 private:
  static constexpr int LEVELS = 100;
  using List = boost::intrusive::list<SchedEntity, boost::intrusive::base_hook<RtHook>,
                                      boost::intrusive::constant_time_size<false>>;
  bool others_at(int rank) const { return !lists_[static_cast<size_t>(rank)].empty(); }
  int highest() const;
  // The highest level in use below `rank`, 0 if none.
  int highest_below(int rank) const;

  std::array<List, LEVELS> lists_;
  uint64_t used_[2] = {};  // bit r: lists_[r] is not empty
};

}  // namespace starry
