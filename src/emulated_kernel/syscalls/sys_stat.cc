// stat family, statfs family, access family, readlink.
#include <linux/securebits.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/syscalls/path_arg.h"
#include "vfs/mount.h"
#include "vfs/permission.h"

namespace starry {

namespace {

SysResult put_stat(Task& t, UserPtr<struct stat> buf, const Kstat& k) {
  struct stat s = {};
  s.st_dev = k.dev;
  s.st_ino = k.ino;
  s.st_mode = k.mode;
  s.st_nlink = k.nlink;
  s.st_uid = t.cred->user_ns->uid(k.uid);
  s.st_gid = t.cred->user_ns->gid(k.gid);
  s.st_rdev = k.rdev;
  s.st_size = static_cast<off_t>(k.size);
  s.st_blksize = k.blksize;
  s.st_blocks = static_cast<blkcnt_t>(k.blocks);
  s.st_atim = k.atime;
  s.st_mtim = k.mtime;
  s.st_ctim = k.ctime;
  TRY(t.mem().put(buf, s));
  return 0;
}

// The object of a stat call: by name, or the descriptor itself.
struct Statted {
  Kstat attr;
  Path path;  // empty for files without one
};

Result<Statted> stat_at(Task& t, int dirfd, UserPtr<const char> pathname, int at_flags) {
  Statted s;
  std::string text;
  // A null pointer stands for "" since Linux 6.11.
  if (pathname || !(at_flags & AT_EMPTY_PATH))
    text = TRY(t.mem().read_cstr(pathname.addr, PATH_LEN_MAX, ENAMETOOLONG));
  if (text.empty() && (at_flags & AT_EMPTY_PATH) && dirfd != AT_FDCWD) {
    Ref<File> f = TRY(get_file(t, dirfd));
    s.attr = TRY(vfs_file_stat(*f));
    if (f->path) s.path = *f->path;
    return s;
  }
  if (text.empty() && !(at_flags & AT_EMPTY_PATH)) return Error{ENOENT};
  s.path = TRY(vfs_lookup(t, dirfd, text, walk_flags_of(at_flags)));
  s.attr = TRY(s.path.dentry->inode()->stat());
  return s;
}

SysResult stat_path(Task& t, int dirfd, UserPtr<const char> pathname, UserPtr<struct stat> buf,
                    int at_flags) {
  Statted s = TRY(stat_at(t, dirfd, pathname, at_flags));
  return put_stat(t, buf, s.attr);
}

statx_timestamp stamp(const timespec& ts) {
  statx_timestamp s = {};
  s.tv_sec = ts.tv_sec;
  s.tv_nsec = static_cast<uint32_t>(ts.tv_nsec);
  return s;
}

// `wanted`: the caller's mask. As with ext4, the time of birth comes only if asked for.
struct statx to_statx(const UserNamespace& user_ns, const Statted& s, unsigned wanted) {
  constexpr uint64_t ATTR_MOUNT_ROOT = 0x2000;  // STATX_ATTR_MOUNT_ROOT
  constexpr uint32_t MNT_ID = 0x1000;           // STATX_MNT_ID
  const Kstat& k = s.attr;
  struct statx x = {};
  x.stx_mask = STATX_BASIC_STATS | (wanted & STATX_BTIME);
  x.stx_blksize = k.blksize;
  x.stx_nlink = k.nlink;
  x.stx_uid = user_ns.uid(k.uid);
  x.stx_gid = user_ns.gid(k.gid);
  x.stx_mode = static_cast<uint16_t>(k.mode);
  x.stx_ino = k.ino;
  x.stx_size = k.size;
  x.stx_blocks = k.blocks;
  x.stx_atime = stamp(k.atime);
  if ((wanted & STATX_BTIME) != 0) x.stx_btime = stamp(k.btime);
  x.stx_ctime = stamp(k.ctime);
  x.stx_mtime = stamp(k.mtime);
  x.stx_rdev_major = major(k.rdev);
  x.stx_rdev_minor = minor(k.rdev);
  x.stx_dev_major = major(k.dev);
  x.stx_dev_minor = minor(k.dev);
  x.stx_attributes_mask = ATTR_MOUNT_ROOT;
  if (s.path.mount) {
    x.stx_mask |= MNT_ID;
    uint64_t id = static_cast<uint64_t>(s.path.mount->id);
    std::memcpy(reinterpret_cast<char*>(&x) + 144, &id, sizeof id);  // stx_mnt_id, newer than the header
    if (s.path.dentry == s.path.mount->root) x.stx_attributes |= ATTR_MOUNT_ROOT;
  }
  return x;
}

SysResult put_statfs(Task& t, const Path& p, UserPtr<struct statfs> buf) {
  struct statfs s = TRY(p.mount->sb->statfs());
  constexpr long ST_VALID_BIT = 0x20, ST_RELATIME_BIT = 0x1000;
  const unsigned long flags = p.mount->flags;
  s.f_flags = ST_VALID_BIT | ((flags & MS_NOATIME) ? 0x400 : ST_RELATIME_BIT);
  if (flags & MS_RDONLY) s.f_flags |= 1;
  if (flags & MS_NOSUID) s.f_flags |= 2;
  if (flags & MS_NODEV) s.f_flags |= 4;
  if (flags & MS_NOEXEC) s.f_flags |= 8;
  TRY(t.mem().put(buf, s));
  return 0;
}

// access(2) asks with the real ids and the capabilities that they imply.
Ref<const Cred> real_cred(const Cred& c) {
  Ref<Cred> r = c.copy();
  r->fsuid = c.uid;
  r->fsgid = c.gid;
  if (!(c.securebits & SECBIT_NO_SETUID_FIXUP))
    r->cap_effective = c.uid == c.root_uid() ? c.cap_permitted : 0;
  return r;
}

SysResult access_at(Task& t, int dirfd, UserPtr<const char> pathname, int mode, int flags) {
  if (mode & ~(R_OK | W_OK | X_OK)) return Error{EINVAL};
  if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return Error{EINVAL};
  PathArg a = TRY(path_arg(t, dirfd, pathname, (flags & AT_EMPTY_PATH) != 0));
  Ref<const Cred> cred = (flags & AT_EACCESS) ? t.cred : real_cred(*t.cred);
  Path p = TRY(walk_path(Caller(*cred, *t.fs), a.start, a.text, walk_flags_of(flags)));
  if (mode == F_OK) return 0;
  if ((mode & X_OK) && p.dentry->inode()->is_regular() && (p.mount->flags & MS_NOEXEC)) return Error{EACCES};
  static_assert(R_OK == MAY_READ && W_OK == MAY_WRITE && X_OK == MAY_EXEC);
  TRY(path_permission(p, *cred, mode));
  return 0;
}

SysResult readlink_at(Task& t, int dirfd, UserPtr<const char> pathname, UserPtr<char> buf, int size) {
  if (size <= 0) return Error{EINVAL};
  PathArg a = TRY(path_arg(t, dirfd, pathname, true));
  if (a.text.empty() && dirfd == AT_FDCWD) return Error{ENOENT};
  Path p = TRY(walk_path(Caller(t), a.start, a.text, WALK_EMPTY));
  Inode& inode = *p.dentry->inode();
  if (!inode.is_symlink()) return Error{a.text.empty() ? ENOENT : EINVAL};
  std::string text = TRY(inode.readlink());
  const size_t n = std::min(text.size(), static_cast<size_t>(size));
  TRY(t.mem().write(buf.addr, text.data(), n));
  return static_cast<int64_t>(n);
}

}  // namespace

SysResult sys_stat(Task& t, UserPtr<const char> pathname, UserPtr<struct stat> statbuf) {
  return stat_path(t, AT_FDCWD, pathname, statbuf, 0);
}

SysResult sys_lstat(Task& t, UserPtr<const char> pathname, UserPtr<struct stat> statbuf) {
  return stat_path(t, AT_FDCWD, pathname, statbuf, AT_SYMLINK_NOFOLLOW);
}

SysResult sys_fstat(Task& t, int fd, UserPtr<struct stat> statbuf) {
  Ref<File> f = TRY(get_file(t, fd));
  Kstat k = TRY(vfs_file_stat(*f));
  return put_stat(t, statbuf, k);
}

SysResult sys_newfstatat(Task& t, int dirfd, UserPtr<const char> pathname, UserPtr<struct stat> statbuf,
                         int flags) {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) return Error{EINVAL};
  return stat_path(t, dirfd, pathname, statbuf, flags);
}

SysResult sys_statx(Task& t, int dirfd, UserPtr<const char> pathname, int flags, unsigned mask,
                    UserPtr<struct statx> statxbuf) {
  constexpr int SYNC_TYPE = AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;
  if (mask & STATX__RESERVED) return Error{EINVAL};
  if ((flags & SYNC_TYPE) == SYNC_TYPE) return Error{EINVAL};
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | SYNC_TYPE)) return Error{EINVAL};
  Statted s = TRY(stat_at(t, dirfd, pathname, flags));
  TRY(t.mem().put(statxbuf, to_statx(*t.cred->user_ns, s, mask)));
  return 0;
}

SysResult sys_statfs(Task& t, UserPtr<const char> path, UserPtr<struct statfs> buf) {
  Path p = TRY(path_of(t, AT_FDCWD, path, WALK_FOLLOW));
  return put_statfs(t, p, buf);
}

SysResult sys_fstatfs(Task& t, int fd, UserPtr<struct statfs> buf) {
  Ref<File> f = TRY(get_file(t, fd));
  const Path where = vfs_file_path(f);
  TRY(put_statfs(t, where, buf));
  if (f->path) return 0;
  // Pipes and sockets are files of kernel-internal file systems, which have no place in the tree.
  constexpr long PIPEFS_MAGIC_NR = 0x50495045, SOCKFS_MAGIC_NR = 0x534f434b;
  const uint32_t type = where.dentry->inode()->type();
  if (type != S_IFIFO && type != S_IFSOCK) return 0;
  TRY(t.mem().put(UserPtr<long>{buf.addr}, type == S_IFIFO ? PIPEFS_MAGIC_NR : SOCKFS_MAGIC_NR));
  return 0;
}

SysResult sys_ustat(Task& t, unsigned dev, UserPtr<GuestUstat> ubuf) {
  for (Mount* m : all_mounts(*t.fs->mounts)) {
    if (m->sb->dev() != dev) continue;
    const struct statfs s = TRY(m->sb->statfs());
    GuestUstat u = {};
    u.tfree = static_cast<int32_t>(s.f_bfree);
    u.tinode = s.f_ffree;
    TRY(t.mem().put(ubuf, u));
    return 0;
  }
  return Error{EINVAL};
}

SysResult sys_access(Task& t, UserPtr<const char> pathname, int mode) {
  return access_at(t, AT_FDCWD, pathname, mode, 0);
}

SysResult sys_faccessat(Task& t, int dirfd, UserPtr<const char> pathname, int mode) {
  return access_at(t, dirfd, pathname, mode, 0);
}

SysResult sys_faccessat2(Task& t, int dirfd, UserPtr<const char> pathname, int mode, int flags) {
  return access_at(t, dirfd, pathname, mode, flags);
}

SysResult sys_readlink(Task& t, UserPtr<const char> pathname, UserPtr<char> buf, int bufsiz) {
  return readlink_at(t, AT_FDCWD, pathname, buf, bufsiz);
}

SysResult sys_readlinkat(Task& t, int dirfd, UserPtr<const char> pathname, UserPtr<char> buf, int bufsiz) {
  return readlink_at(t, dirfd, pathname, buf, bufsiz);
}

}  // namespace starry
