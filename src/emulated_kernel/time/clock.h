// POSIX clocks (clock_gettime(2)): what a clockid_t names, and conversions to the kernel's own time,
// CLOCK_MONOTONIC.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/sync/wait.h"

namespace starry {

class Task;

struct Clock {
  enum class Base : uint8_t {
    realtime,
    monotonic,
    monotonic_raw,
    boottime,
    realtime_coarse,
    monotonic_coarse,
    cpu
  };
  Base base = Base::monotonic;
  uint64_t resolution_ns = 1;
  bool sleeps = false;      // clock_nanosleep(2) accepts it, else EOPNOTSUPP
  bool has_timers = false;  // timer_create(2) too
  bool readable = true;     // clock_gettime(2); the alarm clocks are not without a wake-up device
  // base == cpu
  pid_t pid = 0;  // thread or process
  bool of_thread = false;
  bool user_only = false;  // ITIMER_VIRTUAL's half
};

// EINVAL: no such clock, or (CPU clocks) no such process, or a thread of another one.
Result<Clock> find_clock(const Task& t, int clockid);

// 0 for the CPU clock of a process that is gone.
uint64_t clock_now(const Clock& c);

// When a (not CPU) clock shows `time_ns`, if nobody sets it.
Deadline deadline_on(const Clock& c, uint64_t time_ns);
Deadline realtime_deadline(uint64_t time_ns);

}  // namespace starry
