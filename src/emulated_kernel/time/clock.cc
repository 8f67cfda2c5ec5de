#include "emulated_kernel/time/clock.h"

#include <time.h>

#include <algorithm>

#include "emulated_kernel/platform.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr uint64_t TICK_NS = 4'000'000;  // CONFIG_HZ=250: the sampled CPU clocks

// Negative ids: the complement of the pid, then three bits (include/linux/posix-timers.h).
constexpr int CPU_THREAD_BIT = 4, CPU_TYPE_MASK = 3;
constexpr int CPU_VIRT = 1, CPU_SCHED = 2;

Clock wall(Clock::Base base) { return {.base = base, .sleeps = true, .has_timers = true}; }
Clock read_only(Clock::Base base, uint64_t resolution) { return {.base = base, .resolution_ns = resolution}; }
Clock cpu(pid_t pid, bool of_thread, bool sleeps) {
  return {.base = Clock::Base::cpu, .sleeps = sleeps, .has_timers = true, .pid = pid, .of_thread = of_thread};
}

Result<Clock> dynamic_clock(const Task& t, int clockid) {
  const int type = clockid & CPU_TYPE_MASK;
  // Type 3 is a clock of a file descriptor (/dev/ptp0): there is no such device.
  if (type > CPU_SCHED) return Error{EINVAL};
  const bool of_thread = (clockid & CPU_THREAD_BIT) != 0;
  pid_t pid = ~(clockid >> 3);
  if (of_thread) {
    const Task* target = pid == 0 ? &t : find_task(t, pid);
    if (target == nullptr || target->group != t.group) return Error{EINVAL};
    pid = target->tid;
  } else {
    pid = pid == 0 || pid == t.own_tid ? t.tgid() : t.kernel_pid(pid);
    if (find_group(pid) == nullptr) return Error{EINVAL};
  }
  Clock c = cpu(pid, of_thread, true);
  c.user_only = type == CPU_VIRT;
  if (type != CPU_SCHED) c.resolution_ns = TICK_NS;
  return c;
}

uint64_t cpu_now(const Clock& c) {
  CpuTimes used;
  if (c.of_thread) {
    if (Task* t = find_task(c.pid)) used = cpu_times(*t);
  } else {
    if (ThreadGroup* g = find_group(c.pid)) used = cpu_times(*g);
  }
  return c.user_only ? used.user : used.total();
}

}  // namespace

Result<Clock> find_clock(const Task& t, int clockid) {
  using enum Clock::Base;
  if (clockid < 0) return dynamic_clock(t, clockid);
  switch (clockid) {
    case CLOCK_REALTIME:
    case CLOCK_TAI:  // no leap seconds are configured
      return wall(realtime);
    case CLOCK_MONOTONIC:
      return wall(monotonic);
    case CLOCK_BOOTTIME:
      return wall(boottime);
    case CLOCK_MONOTONIC_RAW:
      return read_only(monotonic_raw, 1);
    case CLOCK_REALTIME_COARSE:
      return read_only(realtime_coarse, platform().coarse_tick_ns());
    case CLOCK_MONOTONIC_COARSE:
      return read_only(monotonic_coarse, platform().coarse_tick_ns());
    case CLOCK_PROCESS_CPUTIME_ID:
      return starry::cpu(t.tgid(), false, true);
    case CLOCK_THREAD_CPUTIME_ID:
      return starry::cpu(t.tid, true, false);
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM: {
      Clock c = read_only(clockid == CLOCK_REALTIME_ALARM ? realtime : boottime, 1);
      c.readable = false;
      return c;
    }
    default:
      return Error{EINVAL};
  }
}

uint64_t clock_now(const Clock& c) {
  switch (c.base) {
    case Clock::Base::realtime:
      return platform().realtime_ns();
    case Clock::Base::monotonic:
      return platform().monotonic_ns();
    case Clock::Base::boottime:
      return platform().boottime_ns();
    case Clock::Base::realtime_coarse:
      return platform().realtime_coarse_ns();
    case Clock::Base::monotonic_raw:
      return platform().monotonic_raw_ns();
    case Clock::Base::monotonic_coarse:
      return platform().monotonic_coarse_ns();
    case Clock::Base::cpu:
      return cpu_now(c);
  }
  __builtin_unreachable();
}

Deadline deadline_on(const Clock& c, uint64_t time_ns) {
  const uint64_t now = clock_now(c);
  return Deadline::after(time_ns - std::min(now, time_ns));
}

Deadline realtime_deadline(uint64_t time_ns) {
  const uint64_t now = platform().realtime_ns();
  return Deadline::after(time_ns - std::min(now, time_ns));
}

}  // namespace starry
