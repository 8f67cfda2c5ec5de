// Two tasks that take turns (futex, pipe, socket ping-pong) should do so on one CPU: to start an idle one
// takes ten times as long as the switch from a task that blocks. So a task that is woken waits a moment for
// its waker to block. Wakers that do not block in time are believed less and less often.
#include <algorithm>

#include "emulated_kernel/sched/scheduler_impl.h"

namespace starry {

namespace {

constexpr uint64_t HANDOFF_NS = 100'000;  // the waker itself may have to be started first
constexpr uint32_t MAX_PENALTY = 128;     // wake-ups

}  // namespace

// `otherwise` is where `se` would go without a waker.
bool Scheduler::Impl::wants_handoff(const SchedEntity& se, SchedEntity& waker, int otherwise) const {
  if (waker.state != SchedEntity::State::running || waker.need_resched || !good_for(se, waker.cpu))
    return false;
  if (se.rt_rank() != 0 || waker.rt_rank() != 0) return false;
  // With CPUs kept free the two share one anyhow: then it saves a pre-emption of the waker.
  if ((!free_for(se, otherwise) && kept_free.none()) || rq(waker.cpu).queued() != 0) return false;
  if (waker.handoff_pause != 0) {
    --waker.handoff_pause;
    return false;
  }
  return true;
}

void Scheduler::Impl::begin_handoff(SchedEntity& se, const SchedEntity& waker, uint64_t now) {
  RunQueue& q = rq(waker.cpu);
  q.handoff = &se;
  q.handoff_until_ns = now + HANDOFF_NS;
  next_handoff_end = std::min(next_handoff_end, q.handoff_until_ns);
  next_tick_known = false;
}

void Scheduler::Impl::waker_blocks(SchedEntity& waker) {
  if (rq(waker.cpu).handoff != nullptr) waker.handoff_penalty = 0;
}

// Those that have waited long enough may be taken by any CPU.
void Scheduler::Impl::end_handoffs(uint64_t now) {
  next_handoff_end = UINT64_MAX;
  for (RunQueue& q : cpus) {
    if (q.handoff == nullptr) continue;
    if (now < q.handoff_until_ns) {
      next_handoff_end = std::min(next_handoff_end, q.handoff_until_ns);
      continue;
    }
    q.handoff = nullptr;
    pull_useful = true;
    if (SchedEntity* waker = q.current) {
      waker->handoff_penalty = std::clamp(waker->handoff_penalty * 2, 2u, MAX_PENALTY);
      waker->handoff_pause = waker->handoff_penalty;
    }
  }
  next_tick_known = false;
}

}  // namespace starry
