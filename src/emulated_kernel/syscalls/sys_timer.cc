// Timers that send signals: setitimer(2), alarm(2), timer_create(2).
#include <sys/time.h>

#include <csignal>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/timespec.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/time/posix_timers.h"

namespace starry {

namespace {

constexpr uint64_t NSEC_PER_USEC = 1000;

bool timeval_valid(const timeval& tv) {
  return tv.tv_sec >= 0 && static_cast<uint64_t>(tv.tv_usec) < 1'000'000;
}

uint64_t timeval_to_ns(const timeval& tv) {
  return timespec_to_ns({tv.tv_sec, static_cast<long>(tv.tv_usec * 1000)});
}

// Rounded up: a running timer never shows zero.
timeval timeval_from_ns(uint64_t ns) {
  const timespec ts = timespec_from_ns(ns + NSEC_PER_USEC - 1);
  return {ts.tv_sec, static_cast<suseconds_t>(ts.tv_nsec / 1000)};
}

itimerval to_itimerval(const TimerSetting& s) {
  return {timeval_from_ns(s.interval_ns), timeval_from_ns(s.value_ns)};
}

itimerspec to_itimerspec(const TimerSetting& s) {
  return {timespec_from_ns(s.interval_ns), timespec_from_ns(s.value_ns)};
}

// good_sigevent()
Result<PosixTimer::Notify> read_notify(const Task& t, const GuestSigevent& e) {
  if (e.notify == SIGEV_NONE) return PosixTimer::Notify{.silent = true};
  PosixTimer::Notify n{.signo = e.signo, .value = e.value};
  if (e.notify == SIGEV_THREAD_ID) {
    const Task* target = find_task(t, e.tid);
    if (target == nullptr || target->group != t.group) return Error{EINVAL};
    n.tid = target->tid;
  } else if (e.notify != SIGEV_SIGNAL && e.notify != SIGEV_THREAD) {
    return Error{EINVAL};
  }
  if (e.signo <= 0 || e.signo > 64) return Error{EINVAL};
  return n;
}

Result<PosixTimer*> find_timer(Task& t, int id) {
  PosixTimer* timer = PosixTimers::of(*t.group).find(id);
  if (timer == nullptr) return Error{EINVAL};
  return timer;
}

}  // namespace

SysResult sys_getitimer(Task& t, int which, UserPtr<itimerval> curr_value) {
  if (which < ITIMER_REAL || which > ITIMER_PROF) return Error{EINVAL};
  TRY(t.mem().put(curr_value, to_itimerval(PosixTimers::of(*t.group).get_interval_timer(which))));
  return 0;
}

SysResult sys_setitimer(Task& t, int which, UserPtr<const itimerval> new_value,
                        UserPtr<itimerval> old_value) {
  itimerval next{};  // a null pointer disarms: a misfeature that Linux keeps
  if (new_value) next = TRY(t.mem().get(new_value.cast<itimerval>()));
  if (!timeval_valid(next.it_value) || !timeval_valid(next.it_interval)) return Error{EINVAL};
  if (which < ITIMER_REAL || which > ITIMER_PROF) return Error{EINVAL};
  PosixTimers& timers = PosixTimers::of(*t.group);
  const TimerSetting old = timers.get_interval_timer(which);
  timers.set_interval_timer(which, {timeval_to_ns(next.it_value), timeval_to_ns(next.it_interval)});
  if (old_value) TRY(t.mem().put(old_value, to_itimerval(old)));
  return 0;
}

// Seconds that were left, rounded to the nearest but never down to 0.
SysResult sys_alarm(Task& t, unsigned seconds) {
  PosixTimers& timers = PosixTimers::of(*t.group);
  const timespec left = timespec_from_ns(timers.get_interval_timer(ITIMER_REAL).value_ns);
  timers.set_interval_timer(ITIMER_REAL, {seconds * NSEC_PER_SEC, 0});
  const bool up = (left.tv_sec == 0 && left.tv_nsec != 0) || left.tv_nsec >= 500'000'000;
  return left.tv_sec + (up ? 1 : 0);
}

SysResult sys_timer_create(Task& t, int clockid, UserPtr<const GuestSigevent> sevp, UserPtr<int> timerid) {
  GuestSigevent e{};
  e.notify = SIGEV_SIGNAL;
  e.signo = SIGALRM;
  if (sevp) e = TRY(t.mem().get(sevp.cast<GuestSigevent>()));
  const Clock clock = TRY(find_clock(t, clockid));
  if (!clock.has_timers) return Error{EOPNOTSUPP};
  PosixTimers& timers = PosixTimers::of(*t.group);
  const PosixTimer::Notify notify = TRY(read_notify(t, e));
  const int id = TRY(timers.create(clock, notify, !sevp, t.rlimit(RLIMIT_SIGPENDING)));
  if (auto r = t.mem().put(timerid, id); !r) {
    timers.remove(id);
    return r.error();
  }
  return 0;
}

SysResult sys_timer_settime(Task& t, int timerid, int flags, UserPtr<const itimerspec> new_value,
                            UserPtr<itimerspec> old_value) {
  if (!new_value) return Error{EINVAL};
  const itimerspec next = TRY(t.mem().get(new_value.cast<itimerspec>()));
  if (!timespec_valid(next.it_interval) || !timespec_valid(next.it_value)) return Error{EINVAL};
  PosixTimer& timer = *TRY(find_timer(t, timerid));
  const TimerSetting old = timer.get();
  timer.set({timespec_to_ns(next.it_value), timespec_to_ns(next.it_interval)}, (flags & TIMER_ABSTIME) != 0);
  if (old_value) TRY(t.mem().put(old_value, to_itimerspec(old)));
  return 0;
}

SysResult sys_timer_gettime(Task& t, int timerid, UserPtr<itimerspec> curr_value) {
  TRY(t.mem().put(curr_value, to_itimerspec(TRY(find_timer(t, timerid))->get())));
  return 0;
}

SysResult sys_timer_getoverrun(Task& t, int timerid) { return TRY(find_timer(t, timerid))->overrun(); }

SysResult sys_timer_delete(Task& t, int timerid) {
  if (!PosixTimers::of(*t.group).remove(timerid)) return Error{EINVAL};
  return 0;
}

}  // namespace starry
