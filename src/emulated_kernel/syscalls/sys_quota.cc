// quotactl(2), quotactl_fd(2): no file system here keeps quotas, and there are no block devices to name one
// by.
#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/syscalls/path_arg.h"

namespace starry {

namespace {

constexpr unsigned QUOTA_TYPES = 3;  // MAXQUOTAS: users, groups, projects
constexpr unsigned SYNC = 0x800001;  // Q_SYNC

}  // namespace

SysResult sys_quotactl(Task& t, unsigned cmd, UserPtr<const char> special, unsigned, uint64_t) {
  if ((cmd & 0xff) >= QUOTA_TYPES) return Error{EINVAL};
  if (!special)
    return cmd >> 8 == SYNC ? SysResult(0) : Error{ENODEV};  // all quotas there are have been synced
  const Path p = TRY(path_of(t, AT_FDCWD, special, WALK_FOLLOW));
  return Error{p.dentry->inode()->type() == S_IFBLK ? ENODEV : ENOTBLK};
}

SysResult sys_quotactl_fd(Task& t, unsigned fd, unsigned cmd, unsigned, uint64_t) {
  TRY(get_file(t, static_cast<int>(fd)));
  return Error{(cmd & 0xff) >= QUOTA_TYPES ? EINVAL : ENOSYS};  // ENOSYS: the file system has no quotas
}

}  // namespace starry
