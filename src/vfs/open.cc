// open(2), openat2(2): from flags to an open file description.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include <memory>

#include "emulated_kernel/fd/locks.h"
#include "vfs/dentry.h"
#include "vfs/dir_file.h"
#include "vfs/mount.h"
#include "vfs/notify.h"
#include "vfs/ops.h"
#include "vfs/permission.h"
#include "vfs/regular_file.h"

namespace starry {

namespace {

// Flags that matter only while opening; the rest stays visible to F_GETFL. O_NOCTTY goes on to terminals:
// File drops it.
constexpr int OPEN_ONLY = O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC;

int access_of(int flags) {
  static constexpr int MAY[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};
  int may = MAY[flags & O_ACCMODE];
  if (flags & O_TRUNC) may |= MAY_WRITE;
  return may;
}

// What open(2) checks once it knows the object (may_open in Linux).
Result<void> may_open(const Caller& c, const Path& p, int flags) {
  Inode& inode = *p.dentry->inode();
  int may = access_of(flags);
  switch (inode.type()) {
    case S_IFLNK:
      return Error{ELOOP};
    case S_IFDIR:
      if (may & MAY_WRITE) return Error{EISDIR};
      break;
    case S_IFCHR:
    case S_IFBLK:
      if ((p.mount->flags & MS_NODEV) || !p.mount->sb->user_ns->initial()) return Error{EACCES};
      break;
    default:
      break;
  }
  TRY(path_permission(p, c.cred, may));
  if (flags & O_NOATIME) {
    Kstat st = TRY(inode.stat());
    if (!owner_or_capable(st, c.cred)) return Error{EPERM};
  }
  return {};
}

Result<Ref<File>> finish_open(const Path& p, int flags) {
  Ref<File> f = TRY(p.dentry->inode()->open(p, flags & ~OPEN_ONLY));
  // Only the data of files can go past the page cache (FMODE_CAN_ODIRECT).
  if ((flags & O_DIRECT) && dynamic_cast<RegularFile*>(f.get()) == nullptr) return Error{EINVAL};
  if (!f->path) f->path = std::make_shared<const Path>(p);
  return f;
}

Result<Ref<File>> open_tmpfile(const Caller& c, const Path& start, std::string_view path,
                               const OpenHow& how) {
  Path dir = TRY(walk_path(c, start, path, how.resolve | WALK_FOLLOW | WALK_DIRECTORY));
  TRY(path_permission(dir, c.cred, MAY_WRITE | MAY_EXEC));
  NewInode n = TRY(new_inode(*dir.dentry->inode(), c.cred, S_IFREG | (how.mode & 07777), c.fs.umask));
  Ref<Inode> inode = TRY(dir.dentry->inode()->tmpfile(n));
  std::string name = "/#" + std::to_string(inode->ino()) + " (deleted)";
  Ref<Dentry> d = Dentry::make_anon(std::move(inode), std::move(name));
  if ((how.flags & O_EXCL) != 0) d->remove();  // linkat(2) will not give it a name
  return finish_open(Path(dir.mount, std::move(d)), how.flags);
}

// The last component does not exist and O_CREAT is given.
Result<void> create_last(const Caller& c, const Path& dir, Dentry& d, uint32_t mode) {
  TRY(may_create(dir, c.cred));
  NewInode n = TRY(new_inode(*dir.dentry->inode(), c.cred, S_IFREG | (mode & 07777), c.fs.umask));
  d.instantiate(TRY(dir.dentry->inode()->create(d.name(), n)));
  notify_created(*dir.dentry, d);
  return {};
}

Result<void> truncate_for_open(const Path& p) {
  SetAttr a;
  a.valid = SetAttr::SIZE;
  return p.dentry->inode()->setattr(a);
}

Result<void> check_flags(OpenHow& how) {
  int& flags = how.flags;
  if (flags & O_PATH) {
    flags &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
    return {};
  }
  if ((flags & (O_TMPFILE & ~O_DIRECTORY)) != 0) {
    if ((flags & O_TMPFILE) != O_TMPFILE || (flags & O_CREAT)) return Error{EINVAL};
    if (!(access_of(flags) & MAY_WRITE) || (flags & O_ACCMODE) == O_RDONLY) return Error{EINVAL};
  }
  if ((flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT)) return Error{EINVAL};
  if (how.cached && (flags & (O_TRUNC | O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))) return Error{EAGAIN};
  return {};
}

}  // namespace

Result<Ref<File>> open_path(const Caller& c, const Path& where, int flags) {
  if ((flags & O_DIRECTORY) && !where.dentry->inode()->is_dir()) return Error{ENOTDIR};
  if (flags & O_PATH) return Ref<File>(make_ref<PathFile>(where, flags & ~OPEN_ONLY));
  TRY(may_open(c, where, flags));
  if ((access_of(flags) & MAY_WRITE) && where.dentry->inode()->executed > 0) return Error{ETXTBSY};
  TRY(break_leases(where.dentry->inode()->locks.get(), flags));
  const bool truncate = (flags & O_TRUNC) && where.dentry->inode()->is_regular();
  if (truncate) TRY(truncate_for_open(where));
  Ref<File> f = TRY(finish_open(where, flags));
  if (truncate) notify_file(*where.dentry, IN_MODIFY);
  return f;
}

Result<Ref<File>> open_at(const Caller& c, const Path& start, std::string_view path, OpenHow how) {
  TRY(check_flags(how));
  if (path.empty()) return Error{ENOENT};
  if ((how.flags & O_TMPFILE) == O_TMPFILE) return open_tmpfile(c, start, path, how);
  const bool create = (how.flags & O_CREAT) != 0, excl = create && (how.flags & O_EXCL);
  const bool follow = !(how.flags & O_NOFOLLOW) && !excl;

  Walk walk(c, start, path, how.resolve);
  for (;;) {
    TRY(walk.to_last());
    if (create) {
      if (walk.last_is_dots()) return Error{excl ? EEXIST : EISDIR};
      if (walk.trailing_slash()) return Error{EISDIR};
      Path dir = walk.dir();
      Ref<Dentry> d = TRY(dir.dentry->lookup(walk.last()));
      if (d->negative()) {
        TRY(create_last(c, dir, *d, how.mode));
        return finish_open(Path(dir.mount, d), how.flags);
      }
      if (excl) return Error{EEXIST};
    }
    if (TRY(walk.take_last(follow))) break;
  }
  const Path& p = walk.result();
  if (create && p.dentry->inode()->is_dir()) return Error{EISDIR};
  return open_path(c, p, how.flags);
}

}  // namespace starry
