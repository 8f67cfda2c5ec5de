// Clocks and sleeping: clock_gettime(2), clock_nanosleep(2), adjtimex(2).
#include <linux/capability.h>
#include <sys/time.h>
#include <sys/timex.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/timespec.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/time/clock.h"
#include "emulated_kernel/time/clock_timer.h"

namespace starry {

namespace {

// TIME_SETTOD_SEC_MAX: thirty years are left until the nanoseconds do not fit.
constexpr int64_t SETTOD_SECONDS_MAX = INT64_MAX / 1'000'000'000 - 30LL * 365 * 24 * 3600;

// Sleeps until `clock` shows `until`: Wake::timeout, or Wake::signal.
Wake sleep_on_clock(const Clock& clock, uint64_t until) {
  if (clock.base != Clock::Base::cpu) {
    const bool never = false;
    return sleep_until(never, deadline_on(clock, until));
  }
  bool due = clock_now(clock) >= until;
  Sleeper& self = current_sleeper();
  ClockTimer timer([&](uint64_t) {
    due = true;
    self.wake_up();
  });
  if (!due) timer.start(clock, until, 0);
  return sleep_until(due, Deadline::never()) == Wake::signal ? Wake::signal : Wake::timeout;
}

// A relative sleep; also what restart_syscall(2) continues after a stop, with the time that is left.
SysResult relative_sleep(Task& t, const Clock& clock, uint64_t until, UserPtr<timespec> rem) {
  if (sleep_on_clock(clock, until) != Wake::signal) return 0;
  const uint64_t now = clock_now(clock);
  if (now >= until) return 0;
  if (rem) TRY(t.mem().put(rem, timespec_from_ns(until - now)));
  t.restart_block = [=](Task& self) { return relative_sleep(self, clock, until, rem); };
  return Error{ERESTART_RESTARTBLOCK};
}

// Of a span of time: setting CLOCK_REALTIME has no influence on it.
SysResult start_relative_sleep(Task& t, Clock clock, const timespec& span, UserPtr<timespec> rem) {
  if (clock.base == Clock::Base::realtime) clock.base = Clock::Base::monotonic;
  const uint64_t now = clock_now(clock), ns = timespec_to_ns(span);
  return relative_sleep(t, clock, ns > INT64_MAX - now ? INT64_MAX : now + ns, rem);
}

// What an unprivileged reader of an unsynchronised clock sees.
SysResult read_timex(Task& t, UserPtr<timex> buf) {
  const timex request = TRY(t.mem().get(buf));
  constexpr unsigned ADJTIME = 0x8000;  // ADJ_ADJTIME: only as part of ADJ_OFFSET_SINGLESHOT
  if ((request.modes & ADJTIME) != 0 && (request.modes & ADJ_OFFSET_SINGLESHOT) != ADJ_OFFSET_SINGLESHOT)
    return Error{EINVAL};
  if (request.modes != 0 && request.modes != ADJ_OFFSET_SS_READ) return Error{EPERM};
  const timespec now = timespec_from_ns(platform().realtime_ns());
  timex tx{};
  tx.modes = request.modes;
  tx.maxerror = tx.esterror = 16'000'000;
  tx.status = STA_UNSYNC;
  tx.constant = 2;
  tx.precision = 1;
  tx.tolerance = 32'768'000;
  tx.time = {now.tv_sec, static_cast<suseconds_t>(now.tv_nsec / 1000)};
  tx.tick = 10'000;
  TRY(t.mem().put(buf, tx));
  return TIME_ERROR;
}

}  // namespace

SysResult sys_clock_gettime(Task& t, int clockid, UserPtr<timespec> tp) {
  const Clock clock = TRY(find_clock(t, clockid));
  if (!clock.readable) return Error{EINVAL};
  TRY(t.mem().put(tp, timespec_from_ns(clock_now(clock))));
  return 0;
}

SysResult sys_clock_getres(Task& t, int clockid, UserPtr<timespec> res) {
  const Clock clock = TRY(find_clock(t, clockid));
  if (!clock.readable) return Error{EINVAL};
  if (res) TRY(t.mem().put(res, timespec_from_ns(clock.resolution_ns)));
  return 0;
}

// The guest shares the host's clock: nobody in it may set it, as in a container.
SysResult sys_clock_settime(Task& t, int clockid, UserPtr<const timespec> tp) {
  const Result<Clock> clock = find_clock(t, clockid);
  if (clockid > 0) return Error{EINVAL};
  const timespec ts = TRY(t.mem().get(tp.cast<timespec>()));
  if (!clock.ok()) return clock.error();  // the process of a CPU clock
  if (clockid == CLOCK_REALTIME && (!timespec_valid(ts) || ts.tv_sec >= SETTOD_SECONDS_MAX))
    return Error{EINVAL};
  return Error{EPERM};
}

SysResult sys_clock_nanosleep(Task& t, int clockid, int flags, UserPtr<const timespec> request,
                              UserPtr<timespec> remain) {
  Result<Clock> found = find_clock(t, clockid);
  if (!found.ok() && clockid >= 0) return found.error();
  if (found.ok() && !found->sleeps) return Error{EOPNOTSUPP};
  const timespec ts = TRY(t.mem().get(request.cast<timespec>()));
  if (!timespec_valid(ts)) return Error{EINVAL};
  const Clock clock = TRY(found);  // that the process of a CPU clock exists matters only now
  // Its own CPU clock stands still while a thread sleeps.
  if (clock.of_thread && clock.pid == t.tid) return Error{EINVAL};
  if ((flags & TIMER_ABSTIME) == 0) return start_relative_sleep(t, clock, ts, remain);
  if (sleep_on_clock(clock, timespec_to_ns(ts)) == Wake::signal) return Error{ERESTARTNOHAND};
  return 0;
}

SysResult sys_nanosleep(Task& t, UserPtr<const timespec> duration, UserPtr<timespec> rem) {
  const timespec ts = TRY(t.mem().get(duration.cast<timespec>()));
  if (!timespec_valid(ts)) return Error{EINVAL};
  return start_relative_sleep(t, Clock{}, ts, rem);
}

SysResult sys_gettimeofday(Task& t, UserPtr<timeval> tv, UserPtr<struct timezone> tz) {
  if (tv) {
    const timespec now = timespec_from_ns(platform().realtime_ns());
    TRY(t.mem().put(tv, timeval{now.tv_sec, static_cast<suseconds_t>(now.tv_nsec / 1000)}));
  }
  if (tz) TRY(t.mem().put(tz, (struct timezone){}));
  return 0;
}

SysResult sys_settimeofday(Task& t, UserPtr<const timeval> tv, UserPtr<const struct timezone> tz) {
  if (tv) {
    const timeval v = TRY(t.mem().get(tv.cast<timeval>()));
    if (v.tv_usec < 0 || v.tv_usec > 1'000'000) return Error{EINVAL};
    if (v.tv_sec < 0 || v.tv_sec >= SETTOD_SECONDS_MAX || v.tv_usec == 1'000'000) return Error{EINVAL};
  }
  if (tz) TRY(t.mem().get(tz.cast<struct timezone>()));
  return Error{EPERM};
}

// As in the vdso: the second of the last tick, which may be the one before gettimeofday(2)'s.
SysResult sys_time(Task& t, UserPtr<int64_t> tloc) {
  const auto now = static_cast<int64_t>(platform().realtime_coarse_ns() / NSEC_PER_SEC);
  if (tloc) TRY(t.mem().put(tloc, now));
  return now;
}

SysResult sys_adjtimex(Task& t, UserPtr<timex> buf) { return read_timex(t, buf); }

SysResult sys_clock_adjtime(Task& t, int clockid, UserPtr<timex> buf) {
  TRY(t.mem().get(buf));
  if (clockid >= 0) TRY(find_clock(t, clockid));
  if (clockid != CLOCK_REALTIME) return Error{EOPNOTSUPP};
  return read_timex(t, buf);
}

}  // namespace starry
