// A process's timers: the three of setitimer(2), kept by execve(2), and those of timer_create(2),
// which end with it. A forked child starts without any.
#pragma once

#include <array>
#include <map>
#include <memory>

#include "emulated_kernel/signal/task_signals.h"
#include "emulated_kernel/time/clock_timer.h"

namespace starry {

class ThreadGroup;

// Both 0: not running.
struct TimerSetting {
  uint64_t value_ns = 0, interval_ns = 0;
};

// A timer of timer_create(2). Its signal is queued once; expirations while it is pending are counted
// as overruns (timer_getoverrun(2)).
class PosixTimer {
 public:
  struct Notify {
    bool silent = false;  // SIGEV_NONE
    int signo = 0;
    uint64_t value = 0;
    pid_t tid = 0;  // SIGEV_THREAD_ID; 0: the process
  };
  PosixTimer(ThreadGroup& group, int id, const Clock& clock, const Notify& notify);

  TimerSetting get();
  void set(const TimerSetting& s, bool absolute);
  int overrun();

 private:
  SigInfo* pending();
  void note_delivery();
  void expired(uint64_t periods);

  ThreadGroup& group_;
  int id_;
  Clock clock_;
  Notify notify_;
  ClockTimer timer_;
  bool queued_ = false;  // our signal was sent and may still be pending
  int queued_overrun_ = 0, delivered_overrun_ = 0;
};

class PosixTimers {
 public:
  explicit PosixTimers(ThreadGroup& g);
  // The group's timers, made on first use.
  static PosixTimers& of(ThreadGroup& g);

  // setitimer(2): ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF. `which` has been checked.
  TimerSetting get_interval_timer(int which);
  void set_interval_timer(int which, const TimerSetting& s);

  // EAGAIN: `limit` timers exist (RLIMIT_SIGPENDING).
  Result<int> create(const Clock& clock, PosixTimer::Notify notify, bool default_notify, uint64_t limit);
  PosixTimer* find(int id);  // nullptr: EINVAL
  bool remove(int id);
  void remove_all() { timers_.clear(); }

 private:
  ThreadGroup& group_;
  std::array<ClockTimer, 3> interval_timers_;
  std::map<int, std::unique_ptr<PosixTimer>> timers_;
  int next_id_ = 0;
};

// execve(2). exit needs no call: ThreadGroup::timers is reset.
void posix_timers_exec(ThreadGroup& g);

}  // namespace starry
