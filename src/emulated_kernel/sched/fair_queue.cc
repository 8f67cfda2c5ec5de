#include "emulated_kernel/sched/fair_queue.h"

#include <sched.h>

#include <algorithm>
#include <array>

namespace starry {

namespace {

constexpr int64_t SLEEPER_CREDIT_NS = 4'000'000;
// A waking task takes over only if it is this far behind the running one,
constexpr int64_t WAKEUP_GRANULARITY_NS = 2'000'000;
// which has had the CPU for at least this long.
constexpr uint64_t MIN_RUN_NS = 500'000;

constexpr uint64_t IDLE_WEIGHT = 3;

constexpr std::array<uint64_t, 40> WEIGHTS = [] {
  std::array<uint64_t, 40> w{};
  double up = 1024, down = 1024;
  for (int i = 0; i <= 20; i++) {
    w[static_cast<size_t>(20 - i)] = static_cast<uint64_t>(up);
    if (i < 20) w[static_cast<size_t>(20 + i)] = static_cast<uint64_t>(down);
    up *= 1.25;
    down /= 1.25;
  }
  return w;
}();

}  // namespace

uint64_t fair_weight(const SchedEntity& se) {
  if (se.policy == SCHED_IDLE) return IDLE_WEIGHT;
  return WEIGHTS[static_cast<size_t>(std::clamp(se.nice, -20, 19) + 20)];
}

void FairQueue::enqueue(SchedEntity& se, Place place) {
  if (place == Place::head)
    queue_.insert_before(queue_.lower_bound(se), se);
  else
    queue_.insert(se);
  ++size_;
}

void FairQueue::dequeue(SchedEntity& se) {
  queue_.erase(queue_.iterator_to(se));
  --size_;
}

SchedEntity* FairQueue::first() const {
  return queue_.empty() ? nullptr : const_cast<SchedEntity*>(&*queue_.begin());
}

SchedEntity* FairQueue::first_allowed(int cpu, const SchedEntity* except) const {
  for (const SchedEntity& se : queue_) {
    if (&se != except && se.affinity.test(static_cast<size_t>(cpu))) return const_cast<SchedEntity*>(&se);
  }
  return nullptr;
}

void FairQueue::start(SchedEntity& se) { se.slice_left_ns = FAIR_SLICE_NS; }

void FairQueue::charge(SchedEntity& running, uint64_t delta) {
  running.vruntime += static_cast<int64_t>(delta * 1024 / fair_weight(running));
  running.slice_left_ns -= std::min(delta, running.slice_left_ns);
  // Nobody waits: nothing to share, so the slice begins anew with the first competitor.
  if (queue_.empty()) running.slice_left_ns = FAIR_SLICE_NS;
  int64_t least = running.vruntime;
  if (!queue_.empty()) least = std::min(least, queue_.begin()->vruntime);
  min_vruntime_ = std::max(min_vruntime_, least);
}

void FairQueue::place_woken(SchedEntity& se) const {
  se.vruntime = std::max(se.vruntime, min_vruntime_ - SLEEPER_CREDIT_NS);
}

bool FairQueue::preempts(const SchedEntity& se, SchedEntity& running, uint64_t ran_ns) const {
  if (se.policy != SCHED_OTHER) return running.policy == SCHED_IDLE && se.policy != SCHED_IDLE;
  if (running.policy == SCHED_IDLE) return true;
  if (running.vruntime - se.vruntime <= WAKEUP_GRANULARITY_NS) return false;
  if (ran_ns >= MIN_RUN_NS) return true;
  running.slice_left_ns = std::min(running.slice_left_ns, MIN_RUN_NS - ran_ns);
  return false;
}

uint64_t FairQueue::slice_left(const SchedEntity& running) const {
  return queue_.empty() ? UINT64_MAX : running.slice_left_ns;
}

}  // namespace starry
