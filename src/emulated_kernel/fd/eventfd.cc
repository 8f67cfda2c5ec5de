#include "emulated_kernel/fd/eventfd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "emulated_kernel/sync/wait.h"

namespace starry {

namespace {
constexpr uint64_t FULL = UINT64_MAX;  // one more than the counter can hold
uint64_t next_id = 0;
}  // namespace

EventFd::EventFd(uint64_t count, int flags)
    : AnonFile("[eventfd]", O_RDWR | (flags & EFD_NONBLOCK)),
      semaphore_((flags & EFD_SEMAPHORE) != 0),
      id_(next_id++),
      count_(count) {}

Result<size_t> EventFd::read(IoVec& to, int64_t* /*pos*/, int flags) {
  if (to.remaining() < sizeof count_) return Error{EINVAL};
  if (count_ == 0) {
    if (nonblocking() || (flags & RWF_NOWAIT) != 0) return Error{EAGAIN};
    TRY(wait_event(queue_, Deadline::never(), [this] { return count_ != 0; }));
  }
  const uint64_t value = semaphore_ ? 1 : count_;
  count_ -= value;
  queue_.wake(EPOLLOUT);
  const size_t copied = TRY(to.copy_out(&value, sizeof value));
  return copied == sizeof value ? Result<size_t>(copied) : Error{EFAULT};
}

Result<size_t> EventFd::write(IoVec& from, int64_t* /*pos*/, int flags) {
  if (from.remaining() < sizeof count_) return Error{EINVAL};
  uint64_t add = 0;
  if (TRY(from.copy_in(&add, sizeof add)) != sizeof add) return Error{EFAULT};
  if (add == FULL) return Error{EINVAL};
  const auto fits = [&] { return FULL - count_ > add; };
  if (!fits()) {
    if (nonblocking() || (flags & RWF_NOWAIT) != 0) return Error{EAGAIN};
    TRY(wait_event(queue_, Deadline::never(), fits));
  }
  count_ += add;
  queue_.wake(EPOLLIN);
  return sizeof add;
}

uint32_t EventFd::poll() {
  uint32_t events = 0;
  if (count_ != 0) events |= EPOLLIN;
  if (count_ == FULL) events |= EPOLLERR;
  if (count_ < FULL - 1) events |= EPOLLOUT;
  return events;
}

std::string EventFd::fdinfo() const {
  return fmt::format("eventfd-count: {:16x}\neventfd-id: {}\neventfd-semaphore: {}\n", count_, id_,
                     semaphore_ ? 1 : 0);
}

}  // namespace starry
