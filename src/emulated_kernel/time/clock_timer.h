// A timer on any POSIX clock, once or periodic: what setitimer(2) and timer_create(2) are made of.
//
// CPU clocks raise no events of their own: a CPU timer looks again at the earliest moment at which it
// could be due, and less and less often while nobody uses CPU time.
#pragma once

#include <cstdint>
#include <functional>

#include "emulated_kernel/sync/timer.h"
#include "emulated_kernel/time/clock.h"

namespace starry {

class ClockTimer {
 public:
  // Called from the kernel loop with the number of periods that have passed, at least 1. Without a
  // callback (SIGEV_NONE) the timer can only be looked at, and costs nothing.
  explicit ClockTimer(std::function<void(uint64_t periods)> fn)
      : fn_(std::move(fn)), timer_([this] { look(); }) {}

  // Due when `clock` shows `first`, then every `interval_ns` (0: once).
  void start(const Clock& clock, uint64_t first, uint64_t interval_ns);
  void stop();
  // Ns until it is due; 0: it is not running; 1 if it is due and has not fired yet.
  uint64_t remaining();
  uint64_t interval() const { return interval_; }

 private:
  void look();
  void schedule(uint64_t now, uint64_t at_least);
  uint64_t advance(uint64_t now);

  std::function<void(uint64_t)> fn_;
  Timer timer_;
  Clock clock_;
  bool running_ = false;
  uint64_t expiry_ = 0, interval_ = 0;
  uint64_t last_seen_ = 0, pause_ = 0;  // CPU clocks
};

}  // namespace starry
