#include "emulated_kernel/sync/wait.h"

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/platform.h"
#include "emulated_kernel/sync/timer.h"

namespace starry {

Deadline Deadline::after(uint64_t ns) {
  const uint64_t now = platform().monotonic_ns();
  return {ns > UINT64_MAX - now ? UINT64_MAX : now + ns};
}

bool Deadline::passed() const { return !is_never() && platform().monotonic_ns() >= ns; }

bool SleepEntry::on_wake(uint32_t events) {
  events_ |= events;
  // A second wake-up before the sleeper ran is not consumed: an exclusive one goes to the next entry.
  if (woken_) return false;
  woken_ = true;
  sleeper_.wake_up();
  return true;
}

Wake sleep_until(const bool& woken, Deadline deadline, SleepMode mode) {
  Sleeper& self = current_sleeper();
  Timer timer([&self] { self.wake_up(); });
  for (;;) {
    if (woken) return Wake::event;
    if (self.signal_pending(mode)) return Wake::signal;
    if (deadline.passed()) return Wake::timeout;
    if (!deadline.is_never() && !timer.armed()) timer.arm(deadline.ns);
    self.block();
  }
}

Wake sleep_entry(SleepEntry& entry, Deadline deadline, SleepMode mode) {
  return sleep_until(entry.woken_flag(), deadline, mode);
}

void Mutex::lock() {
  if (try_lock()) return;
  Sleeper& self = current_sleeper();
  SleepEntry entry(self, true);
  waiters_.add(entry);
  // unlock() hands the lock over, so being woken means owning it.
  while (!entry.woken()) self.block();
}

bool Mutex::try_lock() {
  if (locked_) return false;
  locked_ = true;
  return true;
}

void Mutex::unlock() {
  CHECK(locked_);
  if (waiters_.wake() == 0) locked_ = false;
}

}  // namespace starry
