// Extended attributes (xattr(7)): name spaces, permissions, sizes; the values are the file system's.
#include <sys/xattr.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/syscalls/path_arg.h"
#include "vfs/mount.h"
#include "vfs/permission.h"

namespace starry {

namespace {

constexpr size_t NAME_BYTES = 255, VALUE_BYTES = 65536;  // XATTR_NAME_MAX, XATTR_SIZE_MAX

bool starts_with(const std::string& s, const char* prefix) { return s.rfind(prefix, 0) == 0; }

Result<std::string> read_name(Task& t, UserPtr<const char> name) {
  std::string n = TRY(t.mem().read_cstr(name.addr, NAME_BYTES + 1, ERANGE));
  if (n.empty()) return Error{ERANGE};
  return n;
}

// What xattr(7) says about each name space.
Result<void> may_access(Task& t, const Path& p, const std::string& name, int may) {
  Inode& inode = *p.dentry->inode();
  const Cred& cred = *t.cred;
  const bool write = (may & MAY_WRITE) != 0;
  if (write && p.mount->read_only()) return Error{EROFS};
  if (starts_with(name, "security.") || starts_with(name, "system.")) {
    if (write && starts_with(name, "security.") && !cred.capable(CAP_NR_SYS_ADMIN)) return Error{EPERM};
    return {};
  }
  if (starts_with(name, "trusted.")) {
    if (!cred.capable(CAP_NR_SYS_ADMIN)) return Error{write ? EPERM : ENODATA};
    return {};
  }
  if (starts_with(name, "user.")) {
    if (!inode.is_regular() && !inode.is_dir()) return Error{write ? EPERM : ENODATA};
    if (write && inode.is_dir()) {
      Kstat st = TRY(inode.stat());
      if ((st.mode & S_ISVTX) && !owner_or_capable(st, cred)) return Error{EPERM};
    }
    return inode.permission(cred, may);
  }
  return Error{EOPNOTSUPP};
}

SysResult set(Task& t, const Path& p, UserPtr<const char> name, UserPtr<const void> value, size_t size,
              int flags) {
  if (flags & ~(XATTR_CREATE | XATTR_REPLACE)) return Error{EINVAL};
  std::string n = TRY(read_name(t, name));
  if (size > VALUE_BYTES) return Error{E2BIG};
  std::string v(size, '\0');
  TRY(t.mem().read(value.addr, v.data(), size));
  TRY(may_access(t, p, n, MAY_WRITE));
  TRY(p.dentry->inode()->setxattr(n, v, flags));
  return 0;
}

// Hands out `data` as getxattr and listxattr do: size 0 asks for the length only.
SysResult give(Task& t, const std::string& data, UserAddr buf, size_t size) {
  if (size == 0) return static_cast<int64_t>(data.size());
  if (size < data.size()) return Error{ERANGE};
  TRY(t.mem().write(buf, data.data(), data.size()));
  return static_cast<int64_t>(data.size());
}

SysResult get(Task& t, const Path& p, UserPtr<const char> name, UserPtr<void> value, size_t size) {
  std::string n = TRY(read_name(t, name));
  TRY(may_access(t, p, n, MAY_READ));
  std::string v = TRY(p.dentry->inode()->getxattr(n));
  return give(t, v, value.addr, size);
}

SysResult list(Task& t, const Path& p, UserPtr<char> buf, size_t size) {
  std::string all;
  for (const std::string& n : TRY(p.dentry->inode()->listxattr())) {
    if (starts_with(n, "trusted.") && !t.cred->capable(CAP_NR_SYS_ADMIN)) continue;
    all += n;
    all += '\0';
  }
  return give(t, all, buf.addr, size);
}

SysResult remove(Task& t, const Path& p, UserPtr<const char> name) {
  std::string n = TRY(read_name(t, name));
  TRY(may_access(t, p, n, MAY_WRITE));
  TRY(p.dentry->inode()->removexattr(n));
  return 0;
}

Result<Path> followed(Task& t, UserPtr<const char> path) { return path_of(t, AT_FDCWD, path, WALK_FOLLOW); }
Result<Path> unfollowed(Task& t, UserPtr<const char> path) { return path_of(t, AT_FDCWD, path, 0); }
Result<Path> opened(Task& t, int fd) {
  Ref<File> f = TRY(get_io_file(t, fd));
  return vfs_file_path(f);
}

}  // namespace

SysResult sys_setxattr(Task& t, UserPtr<const char> path, UserPtr<const char> name, UserPtr<const void> value,
                       size_t size, int flags) {
  return set(t, TRY(followed(t, path)), name, value, size, flags);
}
SysResult sys_lsetxattr(Task& t, UserPtr<const char> path, UserPtr<const char> name,
                        UserPtr<const void> value, size_t size, int flags) {
  return set(t, TRY(unfollowed(t, path)), name, value, size, flags);
}
SysResult sys_fsetxattr(Task& t, int fd, UserPtr<const char> name, UserPtr<const void> value, size_t size,
                        int flags) {
  return set(t, TRY(opened(t, fd)), name, value, size, flags);
}
SysResult sys_getxattr(Task& t, UserPtr<const char> path, UserPtr<const char> name, UserPtr<void> value,
                       size_t size) {
  return get(t, TRY(followed(t, path)), name, value, size);
}
SysResult sys_lgetxattr(Task& t, UserPtr<const char> path, UserPtr<const char> name, UserPtr<void> value,
                        size_t size) {
  return get(t, TRY(unfollowed(t, path)), name, value, size);
}
SysResult sys_fgetxattr(Task& t, int fd, UserPtr<const char> name, UserPtr<void> value, size_t size) {
  return get(t, TRY(opened(t, fd)), name, value, size);
}
SysResult sys_listxattr(Task& t, UserPtr<const char> path, UserPtr<char> buf, size_t size) {
  return list(t, TRY(followed(t, path)), buf, size);
}
SysResult sys_llistxattr(Task& t, UserPtr<const char> path, UserPtr<char> buf, size_t size) {
  return list(t, TRY(unfollowed(t, path)), buf, size);
}
SysResult sys_flistxattr(Task& t, int fd, UserPtr<char> buf, size_t size) {
  return list(t, TRY(opened(t, fd)), buf, size);
}
SysResult sys_removexattr(Task& t, UserPtr<const char> path, UserPtr<const char> name) {
  return remove(t, TRY(followed(t, path)), name);
}
SysResult sys_lremovexattr(Task& t, UserPtr<const char> path, UserPtr<const char> name) {
  return remove(t, TRY(unfollowed(t, path)), name);
}
SysResult sys_fremovexattr(Task& t, int fd, UserPtr<const char> name) {
  return remove(t, TRY(opened(t, fd)), name);
}

}  // namespace starry
