// seccomp(2).
#include <linux/seccomp.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/task/seccomp.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

SysResult action_available(Task& t, unsigned flags, UserPtr<void> args) {
  if (flags != 0) return Error{EINVAL};
  switch (TRY(t.mem().get(args.cast<uint32_t>()))) {
    case SECCOMP_RET_KILL_PROCESS:
    case SECCOMP_RET_KILL_THREAD:
    case SECCOMP_RET_TRAP:
    case SECCOMP_RET_ERRNO:
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_ALLOW:
      return 0;
    default:  // SECCOMP_RET_USER_NOTIF: there are no listeners
      return Error{EOPNOTSUPP};
  }
}

}  // namespace

SysResult sys_seccomp(Task& t, unsigned operation, unsigned flags, UserPtr<void> args) {
  switch (operation) {
    case SECCOMP_SET_MODE_STRICT:
      if (flags != 0 || args) return Error{EINVAL};
      return seccomp_set_strict(t);
    case SECCOMP_SET_MODE_FILTER:
      return seccomp_set_filter(t, flags, args.addr);
    case SECCOMP_GET_ACTION_AVAIL:
      return action_available(t, flags, args);
    default:
      return Error{EINVAL};
  }
}

}  // namespace starry
