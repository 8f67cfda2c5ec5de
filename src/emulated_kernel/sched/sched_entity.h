// Scheduling state of one task. The scheduling classes are in sched/rt_queue.h and fair_queue.h.
#pragma once

#include <bitset>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>

namespace starry {

struct PiState;  // futex/pi.h
struct PiWaiter;

inline constexpr int MAX_CPUS = 1024;
using CpuMask = std::bitset<MAX_CPUS>;
// CONFIG_NR_CPUS, which fixes the size of the kernel's CPU masks: of a kernel for small machines, as long as
// it has room for the CPUs.
inline constexpr int nr_cpus_for(int cpus) { return cpus <= 256 ? 256 : MAX_CPUS; }

using RtHook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::safe_link>>;
using FairHook = boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::safe_link>>;

struct SchedEntity : public RtHook, public FairHook {
  int policy = 0;       // SCHED_OTHER
  int rt_priority = 0;  // 1..99 for FIFO and RR, else 0
  int nice = 0;
  bool reset_on_fork = false;
  CpuMask affinity;  // all ones by default: set by Scheduler::init_task
  int cpu = -1;      // emulated CPU it runs or is queued on; last one when blocked
  enum class State : uint8_t { blocked, queued, running } state = State::blocked;
  bool need_resched = false;   // request_resched was called and it has not left its CPU yet
  uint64_t slice_left_ns = 0;  // RR and OTHER
  int64_t vruntime = 0;        // OTHER: relative to `cpu`'s queue
  uint64_t run_since_ns = 0;   // running: up to here its time is accounted
  uint64_t picked_at_ns = 0;   // running: when it got the CPU
  uint64_t sum_exec_ns = 0;
  uint64_t sleeps = 0;  // how often it was woken, or became real-time: where RLIMIT_RTTIME begins anew
  uint64_t nvcsw = 0, nivcsw = 0;
  int pi_priority = 0;  // boosted by a PI futex; 0 = none

  // Of handoff.cc. As a waker: how many wake-ups do not count on its blocking soon, and how many the next
  // time that it does not. As the one woken: it got the CPU of a waker that blocked.
  uint32_t handoff_pause = 0, handoff_penalty = 0;
  bool handed_over = false;

  // Of futex/pi.cc: what this task waits for, and the locks it holds that others wait for.
  PiWaiter* pi_blocked_on = nullptr;
  PiState* pi_held = nullptr;
  bool futex_gone = false;  // its exit has handed on all PI locks
  // Of sched/rseq.cc: the CPU that the guest's rseq area shows; -1 = none written yet.
  int rseq_cpu = -1;
  bool rseq_fence = false;  // membarrier(2) waits for it to pass rseq_handle_return

  // The real-time priority that counts, 0 for the fair class.
  int rt_rank() const { return pi_priority > rt_priority ? pi_priority : rt_priority; }
};

}  // namespace starry
