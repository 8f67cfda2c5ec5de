// mknod, mkdir, symlink, link.
#include <sys/stat.h>

#include "vfs/dentry.h"
#include "vfs/mount.h"
#include "vfs/notify.h"
#include "vfs/ops.h"
#include "vfs/permission.h"

namespace starry {

namespace {

// A name that is free, in a directory where the caller may create (filename_create in Linux).
Result<Path> free_name(const Caller& c, const Path& start, std::string_view path, bool for_dir, Path* dir) {
  if (path.empty()) return Error{ENOENT};
  Walk walk(c, start, path, 0);
  TRY(walk.to_last());
  if (walk.last_is_dots()) return Error{EEXIST};
  *dir = walk.dir();
  Ref<Dentry> d = TRY(dir->dentry->lookup(walk.last()));
  if (!d->negative()) return Error{EEXIST};
  if (walk.trailing_slash() && !for_dir) return Error{ENOENT};
  TRY(may_create(*dir, c.cred));
  return Path(dir->mount, d);
}

Result<Path> create(const Path& dir, const Path& p, const NewInode& n) {
  p.dentry->instantiate(TRY(dir.dentry->inode()->create(p.dentry->name(), n)));
  notify_created(*dir.dentry, *p.dentry);
  return p;
}

// /proc/sys/fs/protected_hardlinks = 1: links only to what one owns, or to plain files that one may
// read and write and that are not set-user-ID (proc(5)).
Result<void> may_link(const Path& old, const Cred& cred) {
  Inode& inode = *old.dentry->inode();
  Kstat st = TRY(inode.stat());
  if (owner_or_capable(st, cred)) return {};
  bool safe = inode.is_regular() && !(st.mode & S_ISUID) &&
              (st.mode & (S_ISGID | S_IXGRP)) != (S_ISGID | S_IXGRP) &&
              inode.permission(cred, MAY_READ | MAY_WRITE).ok();
  return safe ? Result<void>() : Error{EPERM};
}

}  // namespace

Result<void> check_mknod_mode(uint32_t mode) {
  switch (mode & S_IFMT) {
    case 0:
    case S_IFREG:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
      return {};
    default:
      return Error{S_ISDIR(mode) ? EPERM : EINVAL};
  }
}

Result<Path> mknod_at(const Caller& c, const Path& start, std::string_view path, uint32_t mode,
                      uint64_t rdev) {
  TRY(check_mknod_mode(mode));
  const uint32_t type = (mode & S_IFMT) != 0 ? mode & S_IFMT : S_IFREG;
  const bool device = type == S_IFCHR || type == S_IFBLK;
  Path dir;
  Path p = TRY(free_name(c, start, path, false, &dir));
  const bool whiteout = type == S_IFCHR && rdev == 0 && dir.mount->sb->keeps_whiteouts();
  if (device && !whiteout && !c.cred.capable(CAP_NR_MKNOD)) return Error{EPERM};
  NewInode n = TRY(new_inode(*dir.dentry->inode(), c.cred, type | (mode & 07777), c.fs.umask));
  if (device) n.rdev = rdev;
  return create(dir, p, n);
}

Result<Path> mkdir_at(const Caller& c, const Path& start, std::string_view path, uint32_t mode) {
  Path dir;
  Path p = TRY(free_name(c, start, path, true, &dir));
  return create(dir, p, TRY(new_inode(*dir.dentry->inode(), c.cred, S_IFDIR | (mode & 01777), c.fs.umask)));
}

Result<void> symlink_at(const Caller& c, const std::string& target, const Path& start,
                        std::string_view path) {
  if (target.empty()) return Error{ENOENT};
  Path dir;
  Path p = TRY(free_name(c, start, path, false, &dir));
  NewInode n = TRY(new_inode(*dir.dentry->inode(), c.cred, S_IFLNK, 0));
  n.target = target;
  TRY(create(dir, p, n));
  return {};
}

Result<void> link_at(const Caller& c, const Path& old, const Path& start, std::string_view path) {
  Path dir;
  Path p = TRY(free_name(c, start, path, false, &dir));
  if (p.mount != old.mount) return Error{EXDEV};
  TRY(may_link(old, c.cred));
  if (old.dentry->inode()->is_dir()) return Error{EPERM};
  if (old.dentry->deleted()) return Error{ENOENT};
  TRY(dir.dentry->inode()->link(p.dentry->name(), *old.dentry->inode()));
  p.dentry->instantiate(Ref<Inode>(old.dentry->inode()));
  notify_linked(*dir.dentry, *p.dentry);
  return {};
}

}  // namespace starry
