#include "emulated_kernel/time/clock_timer.h"

#include <algorithm>

#include "emulated_kernel/platform.h"
#include "emulated_kernel/sched/scheduler.h"

namespace starry {

namespace {

constexpr uint64_t CPU_LOOK_MIN_NS = 1'000'000, CPU_LOOK_MAX_NS = 20'000'000;
// However short the period: the kernel thread has other things to do. Periods are still counted.
constexpr uint64_t MIN_DISTANCE_NS = 20'000;

}  // namespace

void ClockTimer::start(const Clock& clock, uint64_t first, uint64_t interval_ns) {
  clock_ = clock;
  expiry_ = first;
  interval_ = interval_ns;
  running_ = true;
  last_seen_ = UINT64_MAX;
  schedule(clock_now(clock_), 0);
}

void ClockTimer::stop() {
  running_ = false;
  interval_ = 0;
  timer_.disarm();
}

void ClockTimer::schedule(uint64_t now, uint64_t at_least) {
  if (!fn_) return;
  uint64_t wait = std::max(expiry_ - std::min(now, expiry_), at_least);
  if (clock_.base == Clock::Base::cpu) {
    if (!clock_.of_thread) wait /= static_cast<uint64_t>(scheduler().cpu_count());
    pause_ = now == last_seen_ ? std::min(pause_ * 2, CPU_LOOK_MAX_NS) : CPU_LOOK_MIN_NS;
    last_seen_ = now;
    wait = std::max(wait, pause_);
  }
  timer_.arm(Deadline::after(wait).ns);
}

// Counts the periods that are over and moves on to the next expiry.
uint64_t ClockTimer::advance(uint64_t now) {
  if (now < expiry_) return 0;
  if (interval_ == 0) {
    running_ = false;
    return 1;
  }
  const uint64_t periods = (now - expiry_) / interval_ + 1;
  expiry_ += periods * interval_;
  return periods;
}

void ClockTimer::look() {
  const uint64_t now = clock_now(clock_);
  const uint64_t periods = advance(now);
  if (running_) schedule(now, periods == 0 ? 0 : MIN_DISTANCE_NS);
  if (periods != 0) fn_(periods);
}

uint64_t ClockTimer::remaining() {
  if (!running_) return 0;
  const uint64_t now = clock_now(clock_);
  if (!fn_) {
    advance(now);
    if (!running_) return 0;
  }
  return expiry_ > now ? expiry_ - now : 1;
}

}  // namespace starry
