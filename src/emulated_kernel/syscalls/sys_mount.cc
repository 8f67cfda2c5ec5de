// mount, umount2, pivot_root, open_tree, fsconfig, sysfs.
#include <sys/mount.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/log.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/syscalls/path_arg.h"
#include "vfs/fs_context.h"
#include "vfs/mount.h"
#include "vfs/permission.h"

namespace starry {

namespace {

// The flags that stay with a mount.
constexpr unsigned long MOUNT_FLAGS = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME;
constexpr unsigned long PROPAGATION = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

bool is_mount_root(const Path& p) { return p.dentry == p.mount->root; }

bool may_mount(const Task& t) { return t.cred->capable_in(t.fs->mounts->user_ns(), CAP_NR_SYS_ADMIN); }

Result<void> remount(const Task& t, const Path& p, unsigned long flags) {
  if (!is_mount_root(p)) return Error{EINVAL};
  if (!(flags & MS_BIND) && !t.cred->capable_in(*p.mount->sb->user_ns, CAP_NR_SYS_ADMIN)) return Error{EPERM};
  const unsigned long locks = p.mount->locked_flags, atime = MS_NOATIME;
  const bool changes_atime = (locks & (p.mount->flags ^ flags) & atime) != 0;
  if (changes_atime || (locks & ~atime & ~flags) != 0) return Error{EPERM};
  p.mount->flags = (p.mount->flags & ~MOUNT_FLAGS) | (flags & MOUNT_FLAGS);
  return {};
}

// MS_BIND: the same tree in a second place; with MS_REC also what is mounted below it.
Result<void> bind(const Path& from, const Path& to, bool recursive, bool below_another = false) {
  const std::vector<Ref<Mount>> below = from.mount->children;
  for (const Ref<Mount>& child : below)  // without what covers it, something locked would come to light
    if (!recursive && child->locked && child->mountpoint->is_below(*from.dentry)) return Error{EINVAL};
  auto m = make_ref<Mount>(from.mount->sb, from.dentry, from.mount->source, from.mount->flags);
  m->locked_flags = from.mount->locked_flags;
  m->locked = below_another && from.mount->locked;
  TRY(attach_mount(to, m));
  if (!recursive) return {};
  for (const Ref<Mount>& child : below)
    if (child->mountpoint && child->mountpoint->is_below(*from.dentry))
      TRY(bind(Path(child, child->root), Path(m, child->mountpoint), true, true));
  return {};
}

// No mount has peers: private and slave change nothing, sharing is not there.
Result<void> set_propagation(const Path& p, unsigned long flags) {
  if (!is_mount_root(p)) return Error{EINVAL};
  if (flags & MS_SHARED) {
    klog(LogLevel::warn, "mount: shared propagation is not implemented");
    return Error{EINVAL};
  }
  return {};
}

// Is there a mount of this type with nothing of it covered (mount_too_revealing())?
bool seen_already(const MountNamespace& ns, const std::string& type) {
  const std::vector<Mount*> all = all_mounts(ns);
  return std::any_of(all.begin(), all.end(), [&](const Mount* m) {
    return m->sb->fs_name() == type && m->root->parent() == nullptr &&
           std::none_of(m->children.begin(), m->children.end(),
                        [](const Ref<Mount>& c) { return c->locked; });
  });
}

Result<void> mount_new(Task& t, const Path& where, std::string source, UserPtr<const char> type_name,
                       unsigned long flags, UserPtr<const void> data) {
  std::string type = TRY(t.mem().read_cstr(type_name.addr, PAGE, EINVAL)), options;
  if (data) options = TRY(t.mem().read_cstr(data.addr, PAGE, EINVAL));
  const FileSystemType* fs = find_filesystem(type);
  if (fs == nullptr) return Error{ENODEV};
  const UserNamespace& ruler = fs->ruler != nullptr ? fs->ruler(t) : *initial_user_ns();
  if (!t.cred->capable_in(ruler, CAP_NR_SYS_ADMIN)) return Error{EPERM};
  if (fs->revealing && !t.fs->mounts->user_ns().initial() && !seen_already(*t.fs->mounts, type))
    return Error{EPERM};
  Ref<Inode> root = TRY(fs->mount({source, options, flags}));
  Ref<SuperBlock> sb(&root->sb());
  TRY(attach_mount(where, make_ref<Mount>(sb, Dentry::make_root(std::move(root)), std::move(source),
                                          flags & MOUNT_FLAGS)));
  return {};
}

}  // namespace

SysResult sys_mount(Task& t, UserPtr<const char> source, UserPtr<const char> target,
                    UserPtr<const char> filesystemtype, unsigned long mountflags, UserPtr<const void> data) {
  std::string from = "none";
  if (source) from = TRY(t.mem().read_cstr(source.addr, PATH_LEN_MAX, ENAMETOOLONG));
  Path where = TRY(path_of(t, AT_FDCWD, target, WALK_FOLLOW));
  if (!may_mount(t)) return Error{EPERM};
  if (!t.fs->mounts->contains(*where.mount)) return Error{EINVAL};
  if (mountflags & MS_REMOUNT) {
    TRY(remount(t, where, mountflags));
  } else if (mountflags & MS_BIND) {
    Path src = TRY(path_of(t, AT_FDCWD, source, WALK_FOLLOW));
    if (!t.fs->mounts->contains(*src.mount)) return Error{EINVAL};
    TRY(bind(src, where, (mountflags & MS_REC) != 0));
  } else if (mountflags & PROPAGATION) {
    TRY(set_propagation(where, mountflags));
  } else if (mountflags & MS_MOVE) {
    Path src = TRY(path_of(t, AT_FDCWD, source, WALK_FOLLOW));
    if (!is_mount_root(src) || !t.fs->mounts->contains(*src.mount)) return Error{EINVAL};
    TRY(move_mount(*src.mount, where));
  } else {
    TRY(mount_new(t, where, std::move(from), filesystemtype, mountflags, data));
  }
  return 0;
}

SysResult sys_umount2(Task& t, UserPtr<const char> target, int flags) {
  if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) return Error{EINVAL};
  unsigned walk = (flags & UMOUNT_NOFOLLOW) ? 0u : static_cast<unsigned>(WALK_FOLLOW);
  Path p = TRY(path_of(t, AT_FDCWD, target, walk));
  if (!may_mount(t)) return Error{EPERM};
  if (!is_mount_root(p) || !t.fs->mounts->contains(*p.mount)) return Error{EINVAL};
  if ((flags & MNT_FORCE) && !t.cred->capable(CAP_NR_SYS_ADMIN)) return Error{EPERM};
  if (flags & MNT_EXPIRE) return Error{(flags & (MNT_FORCE | MNT_DETACH)) ? EINVAL : EAGAIN};
  Mount* m = p.mount.get();
  p = Path();  // our own reference must not make it busy
  TRY(detach_mount(*m, (flags & MNT_DETACH) != 0));
  return 0;
}

// A mount that is nowhere, with OPEN_TREE_CLONE, is not there; without, this is open(2) with O_PATH.
SysResult sys_open_tree(Task& t, int dirfd, UserPtr<const char> path, unsigned flags) {
  constexpr unsigned KNOWN = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW |
                             OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  if (flags & ~KNOWN) return Error{EINVAL};
  if ((flags & AT_RECURSIVE) && !(flags & OPEN_TREE_CLONE)) return Error{EINVAL};
  if ((flags & OPEN_TREE_CLONE) && !t.cred->capable(CAP_NR_SYS_ADMIN)) return Error{EPERM};
  if (flags & OPEN_TREE_CLONE) {
    klog(LogLevel::warn, "open_tree: OPEN_TREE_CLONE is not implemented (ENOSYS)");
    return Error{ENOSYS};
  }
  const Path p = TRY(path_of(t, dirfd, path, walk_flags_of(static_cast<int>(flags))));
  Ref<File> f = TRY(open_path(Caller(t), p, O_PATH));
  return TRY(t.files->install(std::move(f), (flags & OPEN_TREE_CLOEXEC) != 0, t.rlimit(RLIMIT_NOFILE)));
}

// fsopen(2) gives nobody a context, so that all there is here are the checks of the arguments.
SysResult sys_fsconfig(Task& t, int fs_fd, unsigned cmd, UserPtr<const char> key, UserPtr<const void> value,
                       int aux) {
  constexpr int BINARY_MAX = 1024 * 1024;
  if (fs_fd < 0) return Error{EINVAL};
  bool fits = false;
  switch (cmd) {
    case FSCONFIG_SET_FLAG:
      fits = key && !value && aux == 0;
      break;
    case FSCONFIG_SET_STRING:
      fits = key && value && aux == 0;
      break;
    case FSCONFIG_SET_BINARY:
      fits = key && value && aux > 0 && aux <= BINARY_MAX;
      break;
    case FSCONFIG_SET_PATH:
    case FSCONFIG_SET_PATH_EMPTY:
      fits = key && value && (aux == AT_FDCWD || aux >= 0);
      break;
    case FSCONFIG_SET_FD:
      fits = key && !value && aux >= 0;
      break;
    case FSCONFIG_CMD_CREATE:
    case FSCONFIG_CMD_RECONFIGURE:
      fits = !key && !value && aux == 0;
      break;
    default:
      return Error{EOPNOTSUPP};
  }
  if (!fits) return Error{EINVAL};
  TRY(get_io_file(t, fs_fd));
  return Error{EINVAL};
}

// sysfs(2): file system types by number.
SysResult sys_sysfs(Task& t, int option, uint64_t arg1, uint64_t arg2) {
  constexpr int INDEX_OF_NAME = 1, NAME_OF_INDEX = 2, COUNT = 3;
  const std::vector<FileSystemType>& types = filesystems();
  switch (option) {
    case INDEX_OF_NAME: {
      const std::string name = TRY(t.mem().read_cstr(arg1, PAGE, ENAMETOOLONG));
      for (size_t i = 0; i < types.size(); ++i)
        if (types[i].name == name) return static_cast<int64_t>(i);
      return Error{EINVAL};
    }
    case NAME_OF_INDEX: {
      const auto index = static_cast<uint32_t>(arg1);
      if (index >= types.size()) return Error{EINVAL};
      const std::string& name = types[index].name;
      TRY(t.mem().write(arg2, name.c_str(), name.size() + 1));
      return 0;
    }
    case COUNT:
      return static_cast<int64_t>(types.size());
    default:
      return Error{EINVAL};
  }
}

SysResult sys_pivot_root(Task& t, UserPtr<const char> new_root, UserPtr<const char> put_old) {
  if (!may_mount(t)) return Error{EPERM};
  Path to = TRY(path_of(t, AT_FDCWD, new_root, WALK_FOLLOW | WALK_DIRECTORY));
  Path old = TRY(path_of(t, AT_FDCWD, put_old, WALK_FOLLOW | WALK_DIRECTORY));
  if (to.mount == t.fs->root.mount || old.mount == t.fs->root.mount) return Error{EBUSY};
  if (!t.fs->mounts->contains(*to.mount) || !is_mount_root(to) || !is_mount_root(t.fs->root))
    return Error{EINVAL};
  if (old.mount != to.mount || !old.dentry->is_below(*to.dentry)) return Error{EINVAL};
  const Path before = t.fs->root;
  TRY(pivot_mounts(*t.fs->mounts, to, old));
  // Whoever had the old root as root or working directory moves along.
  for_each_group([&](ThreadGroup& g) {
    for (Task* each : g.threads) {
      if (!each->fs || each->fs->mounts != t.fs->mounts) continue;
      for (Path* p : {&each->fs->root, &each->fs->cwd})
        if (p->mount == before.mount && p->dentry == before.dentry) *p = to;
    }
  });
  return 0;
}

}  // namespace starry
