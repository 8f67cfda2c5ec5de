// timerfd_create(2), timerfd_settime(2), timerfd_gettime(2).
#include <sys/timerfd.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/timespec.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/fd/timerfd.h"

namespace starry {

namespace {

constexpr int CAP_WAKE_ALARM_NR = 35;  // CAP_WAKE_ALARM

bool alarm_clock(int clock) { return clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM; }

Result<Ref<TimerFd>> get_timerfd(Task& t, int fd) {
  const Ref<File> f = TRY(get_io_file(t, fd));
  auto* timer = dynamic_cast<TimerFd*>(f.get());
  if (timer == nullptr) return Error{EINVAL};
  return Ref<TimerFd>(timer);
}

}  // namespace

SysResult sys_timerfd_create(Task& t, int clockid, int flags) {
  if ((flags & ~(TFD_CLOEXEC | TFD_NONBLOCK)) != 0) return Error{EINVAL};
  if (clockid != CLOCK_MONOTONIC && clockid != CLOCK_REALTIME && clockid != CLOCK_BOOTTIME &&
      !alarm_clock(clockid))
    return Error{EINVAL};
  if (alarm_clock(clockid) && !t.cred->capable(CAP_WAKE_ALARM_NR)) return Error{EPERM};
  return TRY(t.files->install(make_ref<TimerFd>(clockid, flags), (flags & TFD_CLOEXEC) != 0,
                              t.rlimit(RLIMIT_NOFILE)));
}

SysResult sys_timerfd_settime(Task& t, int fd, int flags, UserPtr<const itimerspec> new_value,
                              UserPtr<itimerspec> old_value) {
  const itimerspec value = TRY(t.mem().get(UserPtr<itimerspec>{new_value.addr}));
  if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) != 0) return Error{EINVAL};
  if (!timespec_valid(value.it_value) || !timespec_valid(value.it_interval)) return Error{EINVAL};
  const Ref<TimerFd> timer = TRY(get_timerfd(t, fd));
  if (alarm_clock(timer->clock()) && !t.cred->capable(CAP_WAKE_ALARM_NR)) return Error{EPERM};
  const itimerspec old = timer->get();
  TRY(timer->set(value, flags));
  if (old_value) TRY(t.mem().put(old_value, old));
  return 0;
}

SysResult sys_timerfd_gettime(Task& t, int fd, UserPtr<itimerspec> curr_value) {
  const Ref<TimerFd> timer = TRY(get_timerfd(t, fd));
  TRY(t.mem().put(curr_value, timer->get()));
  return 0;
}

}  // namespace starry
