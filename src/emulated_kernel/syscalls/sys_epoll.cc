// epoll_create(2), epoll_ctl(2), epoll_wait(2).
#include <limits.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/epoll.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/signal/wait_mask.h"
#include "emulated_kernel/syscalls/poll_timeout.h"

namespace starry {

namespace {

constexpr int MAX_EVENTS = INT_MAX / static_cast<int>(sizeof(epoll_event));

Result<int> do_wait(Task& t, int epfd, UserPtr<epoll_event> events, int max, Deadline deadline) {
  if (max <= 0 || max > MAX_EVENTS) return Error{EINVAL};
  const uint64_t bytes = static_cast<uint64_t>(max) * sizeof(epoll_event);
  if (events.addr > GUEST_TASK_SIZE - bytes) return Error{EFAULT};
  const Ref<File> f = TRY(get_io_file(t, epfd));
  auto* ep = dynamic_cast<Epoll*>(f.get());
  if (ep == nullptr) return Error{EINVAL};
  return ep->wait(t.mem(), events, max, deadline);
}

SysResult masked_wait(Task& t, int epfd, UserPtr<epoll_event> events, int max, Deadline deadline,
                      UserPtr<const uint64_t> sigmask, size_t sigsetsize) {
  TRY(set_wait_mask(t, sigmask, sigsetsize));
  const Result<int> r = do_wait(t, epfd, events, max, deadline);
  restore_wait_mask(t, r.code() == EINTR);
  return r.ok() ? SysResult(r.value()) : r.error();
}

}  // namespace

SysResult sys_epoll_create1(Task& t, int flags) {
  if ((flags & ~EPOLL_CLOEXEC) != 0) return Error{EINVAL};
  return TRY(t.files->install(make_ref<Epoll>(), (flags & EPOLL_CLOEXEC) != 0, t.rlimit(RLIMIT_NOFILE)));
}

SysResult sys_epoll_create(Task& t, int size) {
  if (size <= 0) return Error{EINVAL};
  return sys_epoll_create1(t, 0);
}

SysResult sys_epoll_ctl(Task& t, int epfd, int op, int fd, UserPtr<epoll_event> event) {
  epoll_event ev{};
  if (op != EPOLL_CTL_DEL) ev = TRY(t.mem().get(event));
  const Ref<File> ep = TRY(get_io_file(t, epfd));
  const Ref<File> target = TRY(get_io_file(t, fd));
  TRY(epoll_control(*ep, op, *target, fd, ev));
  return 0;
}

SysResult sys_epoll_wait(Task& t, int epfd, UserPtr<epoll_event> events, int maxevents, int timeout) {
  return TRY(do_wait(t, epfd, events, maxevents, deadline_of_ms(timeout)));
}

SysResult sys_epoll_pwait(Task& t, int epfd, UserPtr<epoll_event> events, int maxevents, int timeout,
                          UserPtr<const uint64_t> sigmask, size_t sigsetsize) {
  return masked_wait(t, epfd, events, maxevents, deadline_of_ms(timeout), sigmask, sigsetsize);
}

SysResult sys_epoll_pwait2(Task& t, int epfd, UserPtr<epoll_event> events, int maxevents,
                           UserPtr<const timespec> timeout, UserPtr<const uint64_t> sigmask,
                           size_t sigsetsize) {
  const Deadline deadline = TRY(deadline_of(t, UserPtr<timespec>{timeout.addr}));
  return masked_wait(t, epfd, events, maxevents, deadline, sigmask, sigsetsize);
}

}  // namespace starry
