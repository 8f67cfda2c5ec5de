// Changing attributes: chmod, chown, truncate and utime families.
#include <sys/time.h>
#include <utime.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/fd/file_io.h"
#include "emulated_kernel/syscalls/path_arg.h"

namespace starry {

namespace {

// The place behind a descriptor, for fchmod and fchown: not an O_PATH one.
Result<Path> place_of(Task& t, int fd) {
  Ref<File> f = TRY(get_io_file(t, fd));
  return vfs_file_path(f);
}

SysResult chmod_at(Task& t, int dirfd, UserPtr<const char> pathname, uint32_t mode) {
  Path p = TRY(path_of(t, dirfd, pathname, WALK_FOLLOW));
  TRY(change_mode(Caller(t), p, mode));
  return 0;
}

SysResult chown_at(Task& t, int dirfd, UserPtr<const char> pathname, uint32_t owner, uint32_t group,
                   int flags) {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return Error{EINVAL};
  Path p = TRY(path_of(t, dirfd, pathname, walk_flags_of(flags)));
  const uint32_t uid = TRY(t.cred->user_ns->kuid_or_keep(owner)),
                 gid = TRY(t.cred->user_ns->kgid_or_keep(group));
  TRY(change_owner(Caller(t), p, uid, gid));
  return 0;
}

bool valid_nsec(const timespec& ts) {
  return ts.tv_nsec == UTIME_NOW || ts.tv_nsec == UTIME_OMIT || (ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
}

// A null path means the descriptor itself.
SysResult utimens_at(Task& t, int dirfd, UserPtr<const char> pathname, const timespec* times, int flags) {
  if (times != nullptr && (!valid_nsec(times[0]) || !valid_nsec(times[1]))) return Error{EINVAL};
  if (times != nullptr && times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT) return 0;
  Path p;
  if (!pathname && dirfd != AT_FDCWD) {
    if (flags != 0) return Error{EINVAL};
    p = TRY(place_of(t, dirfd));
  } else {
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return Error{EINVAL};
    p = TRY(path_of(t, dirfd, pathname, walk_flags_of(flags)));
  }
  TRY(change_times(Caller(t), p, times));
  return 0;
}

SysResult timeval_times(Task& t, int dirfd, UserPtr<const char> pathname, UserPtr<const timeval> times) {
  if (!times) return utimens_at(t, dirfd, pathname, nullptr, 0);
  auto tv = TRY(t.mem().get_array(UserPtr<timeval>{times.addr}, 2));
  timespec ts[2];
  for (size_t i = 0; i < 2; ++i) {
    if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000) return Error{EINVAL};
    ts[i] = {tv[i].tv_sec, tv[i].tv_usec * 1000};
  }
  return utimens_at(t, dirfd, pathname, ts, 0);
}

}  // namespace

SysResult sys_chmod(Task& t, UserPtr<const char> pathname, uint32_t mode) {
  return chmod_at(t, AT_FDCWD, pathname, mode);
}
SysResult sys_fchmodat(Task& t, int dirfd, UserPtr<const char> pathname, uint32_t mode) {
  return chmod_at(t, dirfd, pathname, mode);
}
SysResult sys_fchmod(Task& t, int fd, uint32_t mode) {
  Path p = TRY(place_of(t, fd));
  TRY(change_mode(Caller(t), p, mode));
  return 0;
}

SysResult sys_chown(Task& t, UserPtr<const char> pathname, uint32_t owner, uint32_t group) {
  return chown_at(t, AT_FDCWD, pathname, owner, group, 0);
}
SysResult sys_lchown(Task& t, UserPtr<const char> pathname, uint32_t owner, uint32_t group) {
  return chown_at(t, AT_FDCWD, pathname, owner, group, AT_SYMLINK_NOFOLLOW);
}
SysResult sys_fchownat(Task& t, int dirfd, UserPtr<const char> pathname, uint32_t owner, uint32_t group,
                       int flags) {
  return chown_at(t, dirfd, pathname, owner, group, flags);
}
SysResult sys_fchown(Task& t, int fd, uint32_t owner, uint32_t group) {
  Path p = TRY(place_of(t, fd));
  const uint32_t uid = TRY(t.cred->user_ns->kuid_or_keep(owner)),
                 gid = TRY(t.cred->user_ns->kgid_or_keep(group));
  TRY(change_owner(Caller(t), p, uid, gid));
  return 0;
}

SysResult sys_truncate(Task& t, UserPtr<const char> path, int64_t length) {
  if (length < 0) return Error{EINVAL};
  Path p = TRY(path_of(t, AT_FDCWD, path, WALK_FOLLOW));
  if (p.dentry->inode()->is_regular()) TRY(check_file_size(t, length));
  TRY(truncate_path(Caller(t), p, length));
  return 0;
}

SysResult sys_utime(Task& t, UserPtr<const char> filename, UserPtr<const void> times) {
  if (!times) return utimens_at(t, AT_FDCWD, filename, nullptr, 0);
  utimbuf b = TRY(t.mem().get(UserPtr<utimbuf>{times.addr}));
  const timespec ts[2] = {{b.actime, 0}, {b.modtime, 0}};
  return utimens_at(t, AT_FDCWD, filename, ts, 0);
}

SysResult sys_utimes(Task& t, UserPtr<const char> filename, UserPtr<const timeval> times) {
  return timeval_times(t, AT_FDCWD, filename, times);
}

SysResult sys_futimesat(Task& t, int dirfd, UserPtr<const char> pathname, UserPtr<const timeval> times) {
  return timeval_times(t, dirfd, pathname, times);
}

SysResult sys_utimensat(Task& t, int dirfd, UserPtr<const char> pathname, UserPtr<const timespec> times,
                        int flags) {
  if (!times) return utimens_at(t, dirfd, pathname, nullptr, flags);
  auto ts = TRY(t.mem().get_array(UserPtr<timespec>{times.addr}, 2));
  return utimens_at(t, dirfd, pathname, ts.data(), flags);
}

}  // namespace starry
