// chmod, chown, utimensat, truncate: who may, and what Linux changes along with it (inode(7)).
#include <fcntl.h>
#include <sys/stat.h>

#include "emulated_kernel/fd/locks.h"
#include "emulated_kernel/platform.h"
#include "vfs/dentry.h"
#include "vfs/mount.h"
#include "vfs/notify.h"
#include "vfs/ops.h"
#include "vfs/permission.h"

namespace starry {

namespace {

timespec wall_clock() {
  uint64_t ns = platform().realtime_coarse_ns();
  return {static_cast<time_t>(ns / 1000000000), static_cast<long>(ns % 1000000000)};
}

// suid always goes; sgid only where it means "run with this group" (S_IXGRP), or for strangers.
uint32_t without_privileged_bits(const Kstat& st, const Cred& cred) {
  uint32_t mode = st.mode & ~static_cast<uint32_t>(S_ISUID);
  bool stranger = !cred.in_group(st.gid) && !cred.capable_over(st, CAP_NR_FSETID);
  if ((st.mode & S_IXGRP) || stranger) mode &= ~static_cast<uint32_t>(S_ISGID);
  return mode;
}

}  // namespace

Result<void> change_mode(const Caller& c, const Path& p, uint32_t mode) {
  if (p.mount->read_only()) return Error{EROFS};
  Inode& inode = *p.dentry->inode();
  if (inode.is_symlink()) return Error{EOPNOTSUPP};
  Kstat st = TRY(inode.stat());
  if (!owner_or_capable(st, c.cred)) return Error{EPERM};
  SetAttr a;
  a.valid = SetAttr::MODE;
  a.mode = mode & 07777;
  if (!c.cred.in_group(st.gid) && !c.cred.capable_over(st, CAP_NR_FSETID))
    a.mode &= ~static_cast<uint32_t>(S_ISGID);
  TRY(inode.setattr(a));
  notify_file(*p.dentry, IN_ATTRIB);
  return {};
}

Result<void> change_owner(const Caller& c, const Path& p, uint32_t uid, uint32_t gid) {
  if (p.mount->read_only()) return Error{EROFS};
  Inode& inode = *p.dentry->inode();
  Kstat st = TRY(inode.stat());
  SetAttr a;
  const bool almighty = c.cred.capable_over(st, CAP_NR_CHOWN), owner = c.cred.fsuid == st.uid;
  if (uid != ~0u) {
    if (!almighty && !(owner && uid == st.uid)) return Error{EPERM};
    a.valid |= SetAttr::UID;
    a.uid = uid;
  }
  if (gid != ~0u) {
    if (!almighty && !(owner && (gid == st.gid || c.cred.in_group(gid)))) return Error{EPERM};
    a.valid |= SetAttr::GID;
    a.gid = gid;
  }
  if (!inode.is_dir() && (st.mode & (S_ISUID | S_ISGID))) {
    a.valid |= SetAttr::MODE;
    a.mode = without_privileged_bits(st, c.cred) & 07777;
  }
  if (a.valid == 0) return {};
  TRY(inode.setattr(a));
  notify_file(*p.dentry, IN_ATTRIB);
  return {};
}

Result<void> change_times(const Caller& c, const Path& p, const timespec* times) {
  SetAttr a;
  bool now[2] = {true, true};
  timespec t[2] = {wall_clock(), wall_clock()};
  static constexpr uint32_t BITS[2] = {SetAttr::ATIME, SetAttr::MTIME};
  for (int i = 0; i < 2; ++i) {
    if (times != nullptr) {
      if (times[i].tv_nsec == UTIME_OMIT) continue;
      now[i] = times[i].tv_nsec == UTIME_NOW;
      if (!now[i]) {
        if (times[i].tv_nsec < 0 || times[i].tv_nsec > 999999999) return Error{EINVAL};
        t[i] = times[i];
      }
    }
    a.valid |= BITS[i];
  }
  if (a.valid == 0) return {};
  if (p.mount->read_only()) return Error{EROFS};
  Inode& inode = *p.dentry->inode();
  Kstat st = TRY(inode.stat());
  if (!owner_or_capable(st, c.cred)) {
    // Whoever may write may set both to now; anything else is the owner's.
    bool both_now = a.valid == (SetAttr::ATIME | SetAttr::MTIME) && now[0] && now[1];
    if (!both_now) return Error{EPERM};
    TRY(inode.permission(c.cred, MAY_WRITE));
  }
  a.atime = t[0];
  a.mtime = t[1];
  TRY(inode.setattr(a));
  // One time alone looks like what sets it (fsnotify_change).
  const bool both = a.valid == (SetAttr::ATIME | SetAttr::MTIME);
  notify_file(*p.dentry, both ? IN_ATTRIB : a.valid == SetAttr::ATIME ? IN_ACCESS : IN_MODIFY);
  return {};
}

Result<void> truncate_path(const Caller& c, const Path& p, int64_t size) {
  Inode& inode = *p.dentry->inode();
  if (inode.is_dir()) return Error{EISDIR};
  if (!inode.is_regular()) return Error{EINVAL};
  TRY(path_permission(p, c.cred, MAY_WRITE));
  if (inode.executed > 0) return Error{ETXTBSY};
  TRY(break_leases(inode.locks.get(), O_WRONLY));
  TRY(drop_privileged_bits(c.cred, inode));
  SetAttr a;
  a.valid = SetAttr::SIZE;
  a.size = static_cast<uint64_t>(size);
  TRY(inode.setattr(a));
  notify_file(*p.dentry, IN_MODIFY);
  return {};
}

Result<void> drop_privileged_bits(const Cred& cred, Inode& inode) {
  if (!inode.is_regular() || cred.capable(CAP_NR_FSETID)) return {};
  Kstat st = TRY(inode.stat());
  uint32_t mode = without_privileged_bits(st, cred);
  if (!(st.mode & (S_ISUID | S_ISGID)) || mode == st.mode) return {};
  SetAttr a;
  a.valid = SetAttr::MODE;
  a.mode = mode & 07777;
  return inode.setattr(a);
}

}  // namespace starry
