// Timeouts of poll(2), select(2), epoll_wait(2) and their variants.
#pragma once

#include <sys/time.h>

#include "emulated_kernel/base/timespec.h"
#include "emulated_kernel/signal/wait_mask.h"
#include "emulated_kernel/sync/wait.h"
#include "emulated_kernel/task/task.h"

namespace starry {

// More descriptors than any table can have (fs.nr_open).
inline constexpr unsigned MAX_POLL_FDS = 1U << 20;

// Deadline::at(0) for no time at all: look once, do not sleep.
inline Deadline deadline_after_or_now(uint64_t ns) { return ns == 0 ? Deadline::at(0) : Deadline::after(ns); }

// Milliseconds as poll and epoll_wait take them: negative means forever.
inline Deadline deadline_of_ms(int ms) {
  return ms < 0 ? Deadline::never() : deadline_after_or_now(static_cast<uint64_t>(ms) * 1'000'000);
}

// A relative time of the guest; null means forever. EFAULT, EINVAL.
inline Result<Deadline> deadline_of(Task& t, UserPtr<timespec> p) {
  if (!p) return Deadline::never();
  const timespec ts = TRY(t.mem().get(p));
  if (!timespec_valid(ts)) return Error{EINVAL};
  return deadline_after_or_now(timespec_to_ns(ts));
}
// The same for select(2), which also takes a second or more of microseconds.
inline Result<Deadline> deadline_of(Task& t, UserPtr<timeval> p) {
  if (!p) return Deadline::never();
  const timeval tv = TRY(t.mem().get(p));
  timespec ts{};
  if (__builtin_add_overflow(tv.tv_sec, tv.tv_usec / 1'000'000, &ts.tv_sec)) return Error{EINVAL};
  ts.tv_nsec = tv.tv_usec % 1'000'000 * 1000;
  if (!timespec_valid(ts)) return Error{EINVAL};
  return deadline_after_or_now(timespec_to_ns(ts));
}

// Writes what is left of the time, as Linux's select and ppoll do. False if it could not be written.
inline bool store_remaining(Task& t, UserPtr<timespec> p, uint64_t ns) {
  return t.mem().put(p, timespec_from_ns(ns)).ok();
}
inline bool store_remaining(Task& t, UserPtr<timeval> p, uint64_t ns) {
  const timeval tv = {static_cast<time_t>(ns / NSEC_PER_SEC),
                      static_cast<suseconds_t>(ns % NSEC_PER_SEC / 1000)};
  return t.mem().put(p, tv).ok();
}

// End of ppoll, select, pselect6: signal mask and remaining time (fs/select.c: poll_select_finish). An
// interrupted call restarts with the time that is left; if that could not be written it gives EINTR.
template <class Time>
SysResult finish_timed_wait(Task& t, Result<int> result, Deadline deadline, UserPtr<Time> p) {
  const bool interrupted = result.code() == ERESTARTNOHAND;
  restore_wait_mask(t, interrupted);
  if (p && deadline.ns != 0) {
    constexpr int STICKY_TIMEOUTS_BIT = 0x4000000;  // personality(2)
    const uint64_t now = platform().monotonic_ns();
    const uint64_t left = deadline.ns > now ? deadline.ns - now : 0;
    const bool sticky = (t.group->personality & STICKY_TIMEOUTS_BIT) != 0;
    if ((sticky || !store_remaining(t, p, left)) && interrupted) return Error{EINTR};
  }
  return result.ok() ? SysResult(result.value()) : result.error();
}

}  // namespace starry
