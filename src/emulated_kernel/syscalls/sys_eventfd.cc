// eventfd(2).
#include <fcntl.h>
#include <sys/eventfd.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/eventfd.h"
#include "emulated_kernel/task/task.h"

namespace starry {

SysResult sys_eventfd2(Task& t, unsigned initval, int flags) {
  if ((flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK)) != 0) return Error{EINVAL};
  return TRY(t.files->install(make_ref<EventFd>(initval, flags), (flags & EFD_CLOEXEC) != 0,
                              t.rlimit(RLIMIT_NOFILE)));
}

SysResult sys_eventfd(Task& t, unsigned initval) { return sys_eventfd2(t, initval, 0); }

}  // namespace starry
