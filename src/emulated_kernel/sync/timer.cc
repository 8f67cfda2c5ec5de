#include "emulated_kernel/sync/timer.h"

namespace starry {

TimerQueue& timer_queue() {
  static TimerQueue queue;
  return queue;
}

void Timer::arm(uint64_t deadline_ns) {
  disarm();  // the key must not change while the timer is in the tree
  deadline_ = deadline_ns;
  timer_queue().timers_.insert(*this);
}

void Timer::disarm() {
  if (is_linked()) unlink();
}

uint64_t TimerQueue::next_deadline() const {
  return timers_.empty() ? UINT64_MAX : timers_.begin()->deadline_;
}

int TimerQueue::fire(uint64_t now_ns) {
  int fired = 0;
  while (!timers_.empty()) {
    Timer& t = *timers_.begin();
    if (t.deadline_ > now_ns) break;
    t.disarm();  // first: the callback may arm it again
    t.fn_();
    ++fired;
  }
  return fired;
}

}  // namespace starry
