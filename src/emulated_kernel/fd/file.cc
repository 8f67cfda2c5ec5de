#include "emulated_kernel/fd/file.h"

#include <fcntl.h>
#include <sys/epoll.h>

namespace starry {

uint32_t File::poll() { return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM; }

Result<void> File::set_status_flags(int flags) {
  // What F_SETFL may change (fcntl(2)); the rest is fixed by open.
  constexpr int CHANGEABLE = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;
  flags_ = (flags_ & ~CHANGEABLE) | (flags & CHANGEABLE);
  return {};
}

bool File::nonblocking() const { return (flags_ & O_NONBLOCK) != 0; }

bool File::readable() const {
  return (flags_ & O_PATH) == 0 && ((flags_ & O_ACCMODE) == O_RDONLY || (flags_ & O_ACCMODE) == O_RDWR);
}

bool File::writable() const {
  return (flags_ & O_PATH) == 0 && ((flags_ & O_ACCMODE) == O_WRONLY || (flags_ & O_ACCMODE) == O_RDWR);
}

}  // namespace starry
