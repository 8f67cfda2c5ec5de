// unlink, rmdir, rename.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "vfs/dentry.h"
#include "vfs/mount.h"
#include "vfs/notify.h"
#include "vfs/ops.h"
#include "vfs/permission.h"

namespace starry {

namespace {

bool is_root_of_mount(const Path& p) { return p.dentry == p.mount->root; }

// RENAME_WHITEOUT: a character device 0:0 where the file was, by which a layer above hides what is below.
Result<void> leave_whiteout(const Caller& c, const Path& dir, const std::string& name) {
  const NewInode what = TRY(new_inode(*dir.dentry->inode(), c.cred, S_IFCHR, 0));
  TRY(dir.dentry->inode()->create(name, what));
  return {};
}

}  // namespace

Result<void> unlink_at(const Caller& c, const Path& start, std::string_view path) {
  if (path.empty()) return Error{ENOENT};
  Walk walk(c, start, path, 0);
  TRY(walk.to_last());
  if (walk.last_is_dots()) return Error{EISDIR};
  const Path& dir = walk.dir();
  if (dir.mount->read_only()) return Error{EROFS};
  Ref<Dentry> d = TRY(dir.dentry->lookup(walk.last()));
  if (d->negative()) return Error{ENOENT};
  if (walk.trailing_slash()) return Error{d->inode()->is_dir() ? EISDIR : ENOTDIR};
  TRY(may_delete(dir, *d, c.cred, false));
  if (is_mountpoint(*c.fs.mounts, *d)) return Error{EBUSY};
  TRY(dir.dentry->inode()->unlink(d->name(), *d->inode()));
  detach_mounts_on(*d);
  d->remove();
  notify_removed(*dir.dentry, *d);
  return {};
}

Result<void> rmdir_at(const Caller& c, const Path& start, std::string_view path) {
  if (path.empty()) return Error{ENOENT};
  Walk walk(c, start, path, 0);
  TRY(walk.to_last());
  if (walk.last().empty()) return Error{EBUSY};
  if (walk.last() == ".") return Error{EINVAL};
  if (walk.last() == "..") return Error{ENOTEMPTY};
  const Path& dir = walk.dir();
  if (dir.mount->read_only()) return Error{EROFS};
  Ref<Dentry> d = TRY(dir.dentry->lookup(walk.last()));
  if (d->negative()) return Error{ENOENT};
  TRY(may_delete(dir, *d, c.cred, true));
  if (is_mountpoint(*c.fs.mounts, *d)) return Error{EBUSY};
  TRY(dir.dentry->inode()->rmdir(d->name(), *d->inode()));
  detach_mounts_on(*d);
  d->remove();
  notify_removed(*dir.dentry, *d);
  return {};
}

Result<void> check_rename_flags(unsigned flags) {
  constexpr unsigned KNOWN = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
  const bool both = (flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT));
  return (flags & ~KNOWN) || both ? Result<void>(Error{EINVAL}) : Result<void>();
}

Result<void> rename_at(const Caller& c, const Path& old_start, std::string_view old_path,
                       const Path& new_start, std::string_view new_path, unsigned flags) {
  const bool exchange = (flags & RENAME_EXCHANGE) != 0, whiteout = (flags & RENAME_WHITEOUT) != 0;
  TRY(check_rename_flags(flags));
  if (old_path.empty() || new_path.empty()) return Error{ENOENT};
  Walk from(c, old_start, old_path, 0), to(c, new_start, new_path, 0);
  TRY(from.to_last());
  TRY(to.to_last());
  const Path &old_dir = from.dir(), &new_dir = to.dir();
  if (old_dir.mount != new_dir.mount) return Error{EXDEV};
  if (from.last_is_dots()) return Error{EBUSY};
  if (to.last_is_dots()) return Error{(flags & RENAME_NOREPLACE) ? EEXIST : EBUSY};
  if (old_dir.mount->read_only()) return Error{EROFS};

  Ref<Dentry> old_d = TRY(old_dir.dentry->lookup(from.last()));
  if (old_d->negative()) return Error{ENOENT};
  Ref<Dentry> new_d = TRY(new_dir.dentry->lookup(to.last()));
  if ((flags & RENAME_NOREPLACE) && !new_d->negative()) return Error{EEXIST};
  if (exchange && new_d->negative()) return Error{ENOENT};
  const bool old_is_dir = old_d->inode()->is_dir();
  if (exchange && !new_d->inode()->is_dir() && to.trailing_slash()) return Error{ENOTDIR};
  if (!old_is_dir && (from.trailing_slash() || (!exchange && to.trailing_slash()))) return Error{ENOTDIR};
  if (new_dir.dentry->is_below(*old_d)) return Error{EINVAL};
  if (old_dir.dentry->is_below(*new_d)) return Error{exchange ? EINVAL : ENOTEMPTY};

  if (old_d->inode() == new_d->inode()) return {};  // two names of one file: nothing happens
  TRY(may_delete(old_dir, *old_d, c.cred, old_is_dir));
  if (new_d->negative())
    TRY(may_create(new_dir, c.cred));
  else
    TRY(may_delete(new_dir, *new_d, c.cred, exchange ? new_d->inode()->is_dir() : old_is_dir));
  // A directory that moves gets another "..": that takes write permission on it.
  if (old_dir.dentry != new_dir.dentry) {
    if (old_is_dir) TRY(old_d->inode()->permission(c.cred, MAY_WRITE));
    if (exchange && new_d->inode()->is_dir()) TRY(new_d->inode()->permission(c.cred, MAY_WRITE));
  }
  if (is_mountpoint(*c.fs.mounts, *old_d) || is_mountpoint(*c.fs.mounts, *new_d) ||
      is_root_of_mount(Path(old_dir.mount, old_d)))
    return Error{EBUSY};

  if (whiteout && !old_dir.mount->sb->keeps_whiteouts()) return Error{EINVAL};
  TRY(old_dir.dentry->inode()->rename(old_d->name(), *old_d->inode(), *new_dir.dentry->inode(), new_d->name(),
                                      new_d->inode(), exchange ? RENAME_EXCHANGE : 0));
  const std::string old_name = old_d->name(), new_name = new_d->name();
  if (exchange) {
    Dentry::exchange(*old_d, *new_d);
  } else {
    detach_mounts_on(*new_d);
    old_d->move(*new_dir.dentry, new_name);
  }
  if (whiteout) TRY(leave_whiteout(c, old_dir, old_name));
  notify_renamed(*old_dir.dentry, old_name, *old_d, exchange || new_d->negative() ? nullptr : new_d.get());
  if (exchange) notify_renamed(*new_dir.dentry, new_name, *new_d, nullptr);
  return {};
}

}  // namespace starry
