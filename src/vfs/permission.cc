#include "vfs/permission.h"

#include "vfs/dentry.h"
#include "vfs/inode.h"
#include "vfs/mount.h"

namespace starry {

Result<void> generic_permission(const Kstat& attr, const Cred& cred, int may) {
  unsigned bits = attr.mode & 7;
  if (cred.fsuid == attr.uid)
    bits = (attr.mode >> 6) & 7;
  else if (cred.in_group(attr.gid))
    bits = (attr.mode >> 3) & 7;
  auto wanted = static_cast<unsigned>(may);
  if ((wanted & ~bits) == 0) return {};

  if (S_ISDIR(attr.mode)) {
    if (!(may & MAY_WRITE) && cred.capable_over(attr, CAP_NR_DAC_READ_SEARCH)) return {};
    if (cred.capable_over(attr, CAP_NR_DAC_OVERRIDE)) return {};
    return Error{EACCES};
  }
  if (may == MAY_READ && cred.capable_over(attr, CAP_NR_DAC_READ_SEARCH)) return {};
  // Even the almighty execute only what is executable for somebody.
  if ((!(may & MAY_EXEC) || (attr.mode & 0111)) && cred.capable_over(attr, CAP_NR_DAC_OVERRIDE)) return {};
  return Error{EACCES};
}

Result<void> path_permission(const Path& p, const Cred& cred, int may) {
  Inode& inode = *p.dentry->inode();
  uint32_t type = inode.type();
  // Writing to a device, FIFO or socket does not write to its file system.
  if ((may & MAY_WRITE) && p.mount->read_only() && (type == S_IFREG || type == S_IFDIR || type == S_IFLNK))
    return Error{EROFS};
  return inode.permission(cred, may);
}

bool owner_or_capable(const Kstat& attr, const Cred& cred) {
  return cred.fsuid == attr.uid || (cred.user_ns->maps_uid(attr.uid) && cred.capable_here(CAP_NR_FOWNER));
}

Result<void> may_create(const Path& dir, const Cred& cred) {
  if (dir.dentry->deleted()) return Error{ENOENT};
  if (dir.mount->sb->fs_name() == "proc")
    return Error{ENOENT};  // proc_lookup(): an error, for creators as well
  if (dir.mount->read_only()) return Error{EROFS};
  return dir.dentry->inode()->permission(cred, MAY_WRITE | MAY_EXEC);
}

Result<void> may_delete(const Path& dir, Dentry& victim, const Cred& cred, bool as_dir) {
  if (victim.negative()) return Error{ENOENT};
  TRY(dir.dentry->inode()->permission(cred, MAY_WRITE | MAY_EXEC));
  Kstat parent = TRY(dir.dentry->inode()->ownership());
  if (parent.mode & S_ISVTX) {
    Kstat st = TRY(victim.inode()->ownership());
    if (cred.fsuid != st.uid && cred.fsuid != parent.uid && !cred.capable_over(st, CAP_NR_FOWNER))
      return Error{EPERM};
  }
  if (as_dir && !victim.inode()->is_dir()) return Error{ENOTDIR};
  if (!as_dir && victim.inode()->is_dir()) return Error{EISDIR};
  if (dir.dentry->deleted()) return Error{ENOENT};
  return {};
}

Result<NewInode> new_inode(Inode& dir, const Cred& cred, uint32_t mode, uint32_t umask) {
  if (!dir.sb().user_ns->maps_uid(cred.fsuid) || !dir.sb().user_ns->maps_gid(cred.fsgid))
    return Error{EOVERFLOW};
  NewInode n;
  n.mode = S_ISLNK(mode) ? (S_IFLNK | 0777) : (mode & ~(umask & 0777));
  n.uid = cred.fsuid;
  n.gid = cred.fsgid;
  Kstat parent = TRY(dir.ownership());
  if (parent.mode & S_ISGID) {
    n.gid = parent.gid;
    if (S_ISDIR(mode))
      n.mode |= S_ISGID;
    else if ((n.mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !cred.in_group(parent.gid) &&
             !cred.capable_over(parent, CAP_NR_FSETID))
      n.mode &= ~static_cast<uint32_t>(S_ISGID);
  }
  return n;
}

}  // namespace starry
