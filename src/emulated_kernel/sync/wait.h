// The one way for kernel code to block. System-call code is plain blocking code on a fiber:
//
//   TRY(wait_event(queue, deadline, [&] { return have_data(); }));
//
// Three outcomes only: the condition holds, the deadline passed, a signal is pending.
#pragma once

#include <cstdint>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/sync/wait_queue.h"

namespace starry {

// Absolute CLOCK_MONOTONIC time in ns.
struct Deadline {
  uint64_t ns = UINT64_MAX;
  static Deadline never() { return {}; }
  static Deadline at(uint64_t ns) { return {ns}; }
  static Deadline after(uint64_t ns);  // from now
  bool is_never() const { return ns == UINT64_MAX; }
  bool passed() const;
};

enum class Wake : uint8_t { event, timeout, signal };

enum class SleepMode : uint8_t {
  interruptible,  // any deliverable signal ends the sleep
  killable,       // only a fatal signal does
};

// What a fiber needs from the task it serves; Task implements it. Tests have their own.
class Sleeper {
 public:
  virtual ~Sleeper() = default;
  // True when an interruptible (killable) sleep must end with Wake::signal.
  virtual bool signal_pending(SleepMode mode) const = 0;
  // Gives up the emulated CPU and suspends this fiber until wake_up(). Spurious returns allowed.
  virtual void block() = 0;
  // Makes the sleeper runnable. Harmless when it is running. Called from any other fiber.
  virtual void wake_up() = 0;
};
Sleeper& current_sleeper();

// A wait-queue entry that wakes a sleeper.
class SleepEntry final : public WaitEntry {
 public:
  explicit SleepEntry(Sleeper& s, bool excl = false) : sleeper_(s) { exclusive = excl; }
  bool on_wake(uint32_t events) override;
  bool woken() const { return woken_; }
  const bool& woken_flag() const { return woken_; }  // for sleep_until
  uint32_t events() const { return events_; }
  void rearm() { woken_ = false; }

 private:
  Sleeper& sleeper_;
  uint32_t events_ = 0;
  bool woken_ = false;
};

// Suspends until `*woken` was set by a wake-up of one of the entries that the caller has queued, the
// deadline passes or a signal is pending. The building block of the two below and of poll/futex.
Wake sleep_until(const bool& woken, Deadline deadline, SleepMode mode = SleepMode::interruptible);
Wake sleep_entry(SleepEntry& entry, Deadline deadline,
                 SleepMode mode = SleepMode::interruptible);

// Sleeps on `q` until `cond()` holds. Checks cond first and again after every wake-up.
template <class Cond>
Wake wait_until(WaitQueue& q, Deadline deadline, Cond&& cond, bool exclusive = false,
                SleepMode mode = SleepMode::interruptible) {
  if (cond()) return Wake::event;
  SleepEntry entry(current_sleeper(), exclusive);
  q.add(entry);
  for (;;) {
    Wake w = sleep_entry(entry, deadline, mode);
    if (cond()) return Wake::event;
    if (w != Wake::event) {
      // An exclusive wake-up that we took but do not use must go to the next one.
      if (exclusive && entry.woken()) q.wake();
      return w;
    }
    entry.rearm();
    WaitQueue::remove(entry);
    q.add(entry);
  }
}

// The same as an errno: ok, ETIMEDOUT, or ERESTARTSYS.
template <class Cond>
Result<void> wait_event(WaitQueue& q, Deadline deadline, Cond&& cond, bool exclusive = false) {
  switch (wait_until(q, deadline, cond, exclusive)) {
    case Wake::event:
      return {};
    case Wake::timeout:
      return Error{ETIMEDOUT};
    case Wake::signal:
      return Error{ERESTARTSYS};
  }
  __builtin_unreachable();
}

// A sleeping lock for state that must stay consistent while its holder waits for the host (an
// address space while a mapping is made). FIFO, not interruptible, not recursive.
class Mutex {
 public:
  void lock();
  bool try_lock();
  void unlock();
  bool locked() const { return locked_; }

 private:
  WaitQueue waiters_;
  bool locked_ = false;
};

class MutexGuard {
 public:
  explicit MutexGuard(Mutex& m) : m_(m) { m_.lock(); }
  ~MutexGuard() { m_.unlock(); }
  MutexGuard(const MutexGuard&) = delete;
  MutexGuard& operator=(const MutexGuard&) = delete;

 private:
  Mutex& m_;
};

}  // namespace starry
