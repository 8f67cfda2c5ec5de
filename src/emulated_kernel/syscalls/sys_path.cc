// Names: mkdir, rmdir, unlink, rename, link, symlink, mknod.
#include <sys/sysmacros.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/syscalls/path_arg.h"
#include "vfs/permission.h"

namespace starry {

namespace {

// The 32-bit encoding of mknod(2): 12 bits of major number amid 20 bits of minor.
uint64_t decode_dev(unsigned dev) {
  return makedev((dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00));
}

SysResult mkdir_call(Task& t, int dirfd, UserPtr<const char> pathname, uint32_t mode) {
  PathArg a = TRY(path_arg(t, dirfd, pathname));
  TRY(mkdir_at(Caller(t), a.start, a.text, mode));
  return 0;
}

SysResult mknod_call(Task& t, int dirfd, UserPtr<const char> pathname, uint32_t mode, unsigned dev) {
  TRY(check_mknod_mode(mode));
  PathArg a = TRY(path_arg(t, dirfd, pathname));
  TRY(mknod_at(Caller(t), a.start, a.text, mode, decode_dev(dev)));
  return 0;
}

SysResult unlink_call(Task& t, int dirfd, UserPtr<const char> pathname, int flags) {
  if (flags & ~AT_REMOVEDIR) return Error{EINVAL};
  PathArg a = TRY(path_arg(t, dirfd, pathname));
  TRY((flags & AT_REMOVEDIR) ? rmdir_at(Caller(t), a.start, a.text) : unlink_at(Caller(t), a.start, a.text));
  return 0;
}

SysResult rename_call(Task& t, int olddirfd, UserPtr<const char> oldpath, int newdirfd,
                      UserPtr<const char> newpath, unsigned flags) {
  TRY(check_rename_flags(flags));
  PathArg from = TRY(path_arg(t, olddirfd, oldpath));
  Result<PathArg> to = path_arg(t, newdirfd, newpath);
  if (!to.ok()) {  // comes after what is wrong with the old path, up to its last component
    const Caller caller(t);
    Walk walk(caller, from.start, from.text, 0);
    TRY(walk.to_last());
    return to.error();
  }
  TRY(rename_at(Caller(t), from.start, from.text, to->start, to->text, flags));
  return 0;
}

SysResult link_call(Task& t, int olddirfd, UserPtr<const char> oldpath, int newdirfd,
                    UserPtr<const char> newpath, int flags) {
  if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) return Error{EINVAL};
  if ((flags & AT_EMPTY_PATH) && !t.cred->capable(CAP_NR_DAC_READ_SEARCH)) return Error{ENOENT};
  unsigned walk = (flags & AT_SYMLINK_FOLLOW) ? static_cast<unsigned>(WALK_FOLLOW) : 0u;
  if (flags & AT_EMPTY_PATH) walk |= WALK_EMPTY;
  Path old = TRY(path_of(t, olddirfd, oldpath, walk));
  PathArg to = TRY(path_arg(t, newdirfd, newpath));
  TRY(link_at(Caller(t), old, to.start, to.text));
  return 0;
}

SysResult symlink_call(Task& t, UserPtr<const char> target, int newdirfd, UserPtr<const char> linkpath) {
  std::string text = TRY(t.mem().read_cstr(target.addr, PATH_LEN_MAX, ENAMETOOLONG));
  if (text.empty()) return Error{ENOENT};
  PathArg a = TRY(path_arg(t, newdirfd, linkpath));
  TRY(symlink_at(Caller(t), text, a.start, a.text));
  return 0;
}

}  // namespace

SysResult sys_mkdir(Task& t, UserPtr<const char> pathname, uint32_t mode) {
  return mkdir_call(t, AT_FDCWD, pathname, mode);
}
SysResult sys_mkdirat(Task& t, int dirfd, UserPtr<const char> pathname, uint32_t mode) {
  return mkdir_call(t, dirfd, pathname, mode);
}
SysResult sys_mknod(Task& t, UserPtr<const char> pathname, uint32_t mode, unsigned dev) {
  return mknod_call(t, AT_FDCWD, pathname, mode, dev);
}
SysResult sys_mknodat(Task& t, int dirfd, UserPtr<const char> pathname, uint32_t mode, unsigned dev) {
  return mknod_call(t, dirfd, pathname, mode, dev);
}
SysResult sys_rmdir(Task& t, UserPtr<const char> pathname) {
  return unlink_call(t, AT_FDCWD, pathname, AT_REMOVEDIR);
}
SysResult sys_unlink(Task& t, UserPtr<const char> pathname) { return unlink_call(t, AT_FDCWD, pathname, 0); }
SysResult sys_unlinkat(Task& t, int dirfd, UserPtr<const char> pathname, int flags) {
  return unlink_call(t, dirfd, pathname, flags);
}
SysResult sys_rename(Task& t, UserPtr<const char> oldpath, UserPtr<const char> newpath) {
  return rename_call(t, AT_FDCWD, oldpath, AT_FDCWD, newpath, 0);
}
SysResult sys_renameat(Task& t, int olddirfd, UserPtr<const char> oldpath, int newdirfd,
                       UserPtr<const char> newpath) {
  return rename_call(t, olddirfd, oldpath, newdirfd, newpath, 0);
}
SysResult sys_renameat2(Task& t, int olddirfd, UserPtr<const char> oldpath, int newdirfd,
                        UserPtr<const char> newpath, unsigned flags) {
  return rename_call(t, olddirfd, oldpath, newdirfd, newpath, flags);
}
SysResult sys_link(Task& t, UserPtr<const char> oldpath, UserPtr<const char> newpath) {
  return link_call(t, AT_FDCWD, oldpath, AT_FDCWD, newpath, 0);
}
SysResult sys_linkat(Task& t, int olddirfd, UserPtr<const char> oldpath, int newdirfd,
                     UserPtr<const char> newpath, int flags) {
  return link_call(t, olddirfd, oldpath, newdirfd, newpath, flags);
}
SysResult sys_symlink(Task& t, UserPtr<const char> target, UserPtr<const char> linkpath) {
  return symlink_call(t, target, AT_FDCWD, linkpath);
}
SysResult sys_symlinkat(Task& t, UserPtr<const char> target, int newdirfd, UserPtr<const char> linkpath) {
  return symlink_call(t, target, newdirfd, linkpath);
}

}  // namespace starry
