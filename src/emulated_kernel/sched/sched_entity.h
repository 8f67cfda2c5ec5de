// Scheduling state of one task. The policy is in sched/policy.h and sched/run_queue.cc.
#pragma once

#include <bitset>
#include <boost/intrusive/list.hpp>
#include <cstdint>

namespace starry {

inline constexpr int MAX_CPUS = 1024;
using CpuMask = std::bitset<MAX_CPUS>;

struct SchedEntity
    : public boost::intrusive::list_base_hook<
          boost::intrusive::link_mode<boost::intrusive::safe_link>> {
  int policy = 0;               // SCHED_OTHER
  int rt_priority = 0;          // 1..99 for FIFO and RR
  int nice = 0;
  bool reset_on_fork = false;
  CpuMask affinity;             // all ones by default: set by Scheduler::init_task
  int cpu = -1;                 // emulated CPU it runs or is queued on; last one when blocked
  enum class State : uint8_t { blocked, queued, running } state = State::blocked;
  uint64_t slice_left_ns = 0;   // RR and OTHER
  uint64_t vruntime = 0;        // OTHER
  uint64_t run_since_ns = 0;
  uint64_t sum_exec_ns = 0;
  bool need_resched = false;
  uint64_t nvcsw = 0, nivcsw = 0;
  uint64_t dl_runtime = 0, dl_deadline = 0, dl_period = 0;  // sched_setattr keeps them
  int pi_priority = 0;          // boosted by a PI futex; 0 = none
};

}  // namespace starry
