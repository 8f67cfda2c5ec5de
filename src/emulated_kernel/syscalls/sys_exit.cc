// _exit(2), exit_group(2).
#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/task/process.h"

namespace starry {

namespace {

int exit_status(int code) { return (code & 0xff) << 8; }

}  // namespace

SysResult sys_exit(Task& t, int status) {
  exit_task(t, exit_status(status));
  return 0;
}

SysResult sys_exit_group(Task& t, int status) {
  exit_group(t, exit_status(status));
  exit_task(t, exit_status(status));
  return 0;
}

}  // namespace starry
