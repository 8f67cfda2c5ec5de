// System calls on the terminal itself; the rest are ioctls (tty/tty_ioctl.cc).
#include <linux/capability.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/tty/job_control.h"
#include "emulated_kernel/tty/terminal.h"

namespace starry {

SysResult sys_vhangup(Task& t) {
  if (!t.cred->capable(CAP_SYS_TTY_CONFIG)) return Error{EPERM};
  if (Terminal* tty = controlling_terminal(*t.group); tty != nullptr) tty->hangup();
  return 0;
}

}  // namespace starry
