// One-shot timers on CLOCK_MONOTONIC. The kernel loop fires the due ones in order of expiry.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <functional>

namespace starry {

class Timer : public boost::intrusive::set_base_hook<
                  boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  explicit Timer(std::function<void()> fn) : fn_(std::move(fn)) {}
  ~Timer() = default;  // auto-unlink: destroying an armed timer disarms it
  // Absolute CLOCK_MONOTONIC ns. Re-arming moves it. The callback runs in the kernel loop, outside
  // any task's fiber: it must not sleep and must not destroy its own timer.
  void arm(uint64_t deadline_ns);
  void disarm();
  bool armed() const { return is_linked(); }
  uint64_t deadline() const { return deadline_; }
  bool operator<(const Timer& o) const { return deadline_ < o.deadline_; }

 private:
  friend class TimerQueue;
  std::function<void()> fn_;
  uint64_t deadline_ = 0;
};

class TimerQueue {
 public:
  // UINT64_MAX when none is armed.
  uint64_t next_deadline() const;
  // Fires all timers due at `now_ns`. Returns how many.
  int fire(uint64_t now_ns);

 private:
  friend class Timer;
  boost::intrusive::multiset<Timer, boost::intrusive::constant_time_size<false>> timers_;
};

TimerQueue& timer_queue();

}  // namespace starry
