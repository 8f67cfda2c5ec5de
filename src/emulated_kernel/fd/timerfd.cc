#include "emulated_kernel/fd/timerfd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>

#include "emulated_kernel/base/timespec.h"
#include "emulated_kernel/platform.h"
#include "emulated_kernel/sync/wait.h"

namespace starry {

namespace {

using TimerFds = boost::intrusive::list<TimerFd, boost::intrusive::constant_time_size<false>>;

TimerFds& all_timerfds() {
  static TimerFds all;
  return all;
}

}  // namespace

TimerFd::TimerFd(int clock, int flags)
    : AnonFile("[timerfd]", O_RDWR | (flags & TFD_NONBLOCK)), clock_(clock), timer_([this] { settle(); }) {
  all_timerfds().push_back(*this);
}

uint64_t TimerFd::now() const {
  if (by_realtime_) return platform().realtime_ns();
  return clock_ == CLOCK_BOOTTIME || clock_ == CLOCK_BOOTTIME_ALARM ? platform().boottime_ns()
                                                                    : platform().monotonic_ns();
}

void TimerFd::start() {
  const uint64_t t = now();
  if (expiry_ <= t)
    expire();
  else
    timer_.arm(Deadline::after(expiry_ - t).ns);
}

void TimerFd::expire() {
  timer_.disarm();
  expired_ = true;
  ++ticks_;
  queue_.wake(EPOLLIN);
}

void TimerFd::settle() {
  if (expiry_ != 0 && !expired_) start();
}

// The timer stands still after an expiry until somebody looks (as Linux's does, so that an unread
// periodic timer costs nothing); then all intervals that passed count.
uint64_t TimerFd::catch_up() {
  if (!expired_ || interval_ == 0) return 0;
  expired_ = false;
  const uint64_t t = now();
  uint64_t passed = 0;
  if (t >= expiry_) {
    passed = (t - expiry_) / interval_ + 1;
    expiry_ += passed * interval_;
  }
  start();
  return passed == 0 ? 0 : passed - 1;
}

bool TimerFd::take_cancel() {
  const bool c = canceled_;
  canceled_ = false;
  return c;
}

Result<void> TimerFd::set(const itimerspec& value, int flags) {
  timer_.disarm();
  const bool absolute = (flags & TFD_TIMER_ABSTIME) != 0;
  by_realtime_ = absolute && (clock_ == CLOCK_REALTIME || clock_ == CLOCK_REALTIME_ALARM);
  cancel_on_set_ = by_realtime_ && (flags & TFD_TIMER_CANCEL_ON_SET) != 0;
  const bool canceled = take_cancel() && cancel_on_set_;
  const uint64_t when = timespec_to_ns(value.it_value);
  interval_ = timespec_to_ns(value.it_interval);
  ticks_ = 0;
  expired_ = false;
  expiry_ = when == 0 || absolute ? when : now() + when;
  if (expiry_ != 0) start();
  if (canceled) return Error{ECANCELED};
  settime_flags_ = flags;
  return {};
}

itimerspec TimerFd::get() {
  settle();
  ticks_ += catch_up();
  const uint64_t t = now();
  const uint64_t left = expired_ || expiry_ <= t ? 0 : expiry_ - t;
  return {timespec_from_ns(interval_), timespec_from_ns(left)};
}

Result<size_t> TimerFd::read(IoVec& to, int64_t* /*pos*/, int flags) {
  uint64_t ticks = 0;
  if (to.remaining() < sizeof ticks) return Error{EINVAL};
  settle();
  if (ticks_ == 0) {
    if (nonblocking() || (flags & RWF_NOWAIT) != 0) return Error{EAGAIN};
    TRY(wait_event(queue_, Deadline::never(), [this] { return ticks_ != 0; }));
  }
  if (take_cancel()) {
    ticks_ = 0;
    expired_ = false;
    return Error{ECANCELED};
  }
  ticks = ticks_ + catch_up();
  ticks_ = 0;
  const size_t copied = TRY(to.copy_out(&ticks, sizeof ticks));
  return copied == sizeof ticks ? Result<size_t>(copied) : Error{EFAULT};
}

uint32_t TimerFd::poll() {
  settle();
  if (ticks_ == 0) return 0;
  return EPOLLIN;
}

std::string TimerFd::fdinfo() const {
  const uint64_t t = now();
  const timespec left = timespec_from_ns(expired_ || expiry_ <= t ? 0 : expiry_ - t);
  const timespec interval = timespec_from_ns(interval_);
  return fmt::format(
      "clockid: {}\nticks: {}\nsettime flags: 0{:o}\nit_value: ({}, {})\nit_interval: ({}, {})\n", clock_,
      ticks_, settime_flags_, left.tv_sec, left.tv_nsec, interval.tv_sec, interval.tv_nsec);
}

void TimerFd::clock_was_set() {
  for (TimerFd& t : all_timerfds()) {
    if (t.cancel_on_set_ && !t.canceled_) {
      t.canceled_ = true;
      ++t.ticks_;
      t.queue_.wake(EPOLLIN);
    }
    if (t.by_realtime_) t.settle();
  }
}

}  // namespace starry
