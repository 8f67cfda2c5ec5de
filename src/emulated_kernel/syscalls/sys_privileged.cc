// Calls that only administrators may make and that this kernel does not have. An ordinary user gets Linux's
// EPERM; with the capability they are missing.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mount.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/log.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

SysResult refuse(Task& t, int capability, const char* name) {
  if (!t.cred->capable(capability)) return Error{EPERM};
  klog(LogLevel::warn, "{} is not implemented (ENOSYS)", name);
  return Error{ENOSYS};
}

}  // namespace

SysResult sys_acct(Task& t, UserPtr<const char>) { return refuse(t, CAP_SYS_PACCT, "acct"); }
SysResult sys_swapon(Task& t, UserPtr<const char>, int flags) {
  constexpr int KNOWN = 0x7ffff;  // SWAP_FLAGS_VALID
  if (flags & ~KNOWN) return Error{EINVAL};
  return refuse(t, CAP_SYS_ADMIN, "swapon");
}
SysResult sys_swapoff(Task& t, UserPtr<const char>) { return refuse(t, CAP_SYS_ADMIN, "swapoff"); }
SysResult sys_reboot(Task& t, unsigned, unsigned, unsigned, uint64_t) {
  return refuse(t, CAP_SYS_BOOT, "reboot");
}
SysResult sys_kexec_load(Task& t, unsigned long, unsigned long, UserPtr<void>, unsigned long) {
  return refuse(t, CAP_SYS_BOOT, "kexec_load");
}
SysResult sys_kexec_file_load(Task& t, int, int, unsigned long, UserPtr<const char>, unsigned long) {
  return refuse(t, CAP_SYS_BOOT, "kexec_file_load");
}
SysResult sys_init_module(Task& t, UserPtr<void>, unsigned long, UserPtr<const char>) {
  return refuse(t, CAP_SYS_MODULE, "init_module");
}
SysResult sys_finit_module(Task& t, int, UserPtr<const char>, int) {
  return refuse(t, CAP_SYS_MODULE, "finit_module");
}
SysResult sys_delete_module(Task& t, UserPtr<const char>, unsigned) {
  return refuse(t, CAP_SYS_MODULE, "delete_module");
}
SysResult sys_open_by_handle_at(Task& t, int, UserPtr<void>, int) {
  return refuse(t, CAP_DAC_READ_SEARCH, "open_by_handle_at");
}
SysResult sys_fsopen(Task& t, UserPtr<const char>, unsigned) { return refuse(t, CAP_SYS_ADMIN, "fsopen"); }
SysResult sys_fsmount(Task& t, int, unsigned, unsigned) { return refuse(t, CAP_SYS_ADMIN, "fsmount"); }
SysResult sys_fspick(Task& t, int, UserPtr<const char>, unsigned) {
  return refuse(t, CAP_SYS_ADMIN, "fspick");
}
SysResult sys_move_mount(Task& t, int, UserPtr<const char>, int, UserPtr<const char>, unsigned) {
  return refuse(t, CAP_SYS_ADMIN, "move_mount");
}
SysResult sys_mount_setattr(Task& t, int, UserPtr<const char>, unsigned flags, UserPtr<void>, size_t usize) {
  constexpr unsigned KNOWN = AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if ((flags & ~KNOWN) || usize < sizeof(mount_attr)) return Error{EINVAL};
  if (usize > PAGE) return Error{E2BIG};
  return refuse(t, CAP_SYS_ADMIN, "mount_setattr");
}

}  // namespace starry
