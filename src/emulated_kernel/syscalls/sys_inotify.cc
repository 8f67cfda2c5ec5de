// inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2).
#include <fcntl.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/fd/inotify.h"
#include "vfs/dentry.h"
#include "vfs/inode.h"
#include "vfs/permission.h"
#include "vfs/vfs.h"
#include "vfs/walk.h"

namespace starry {

namespace {

constexpr uint32_t ALL_BITS = IN_ALL_EVENTS | IN_ISDIR | IN_Q_OVERFLOW | IN_IGNORED | IN_UNMOUNT |
                              IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_ADD | IN_MASK_CREATE |
                              IN_ONESHOT;

Result<Ref<Inotify>> get_inotify(Task& t, int fd) {
  const Ref<File> f = TRY(get_io_file(t, fd));
  auto* i = dynamic_cast<Inotify*>(f.get());
  if (i == nullptr) return Error{EINVAL};
  return Ref<Inotify>(i);
}

}  // namespace

SysResult sys_inotify_init1(Task& t, int flags) {
  if ((flags & ~(IN_CLOEXEC | IN_NONBLOCK)) != 0) return Error{EINVAL};
  if (inotify_instances() >= INOTIFY_MAX_INSTANCES) return Error{EMFILE};
  return TRY(t.files->install(make_ref<Inotify>(flags), (flags & IN_CLOEXEC) != 0, t.rlimit(RLIMIT_NOFILE)));
}

SysResult sys_inotify_init(Task& t) { return sys_inotify_init1(t, 0); }

SysResult sys_inotify_add_watch(Task& t, int fd, UserPtr<const char> pathname, uint32_t mask) {
  if ((mask & ALL_BITS) == 0 || (mask & ~ALL_BITS) != 0) return Error{EINVAL};
  const Ref<Inotify> instance = TRY(get_inotify(t, fd));
  if ((mask & IN_MASK_ADD) != 0 && (mask & IN_MASK_CREATE) != 0) return Error{EINVAL};
  const std::string path = TRY(t.mem().read_cstr(pathname.addr, PATH_LEN_MAX, ENAMETOOLONG));
  const unsigned walk =
      ((mask & IN_DONT_FOLLOW) != 0 ? 0U : WALK_FOLLOW) | ((mask & IN_ONLYDIR) != 0 ? WALK_DIRECTORY : 0U);
  const Path p = TRY(vfs_lookup(t, AT_FDCWD, path, walk));
  Inode& inode = *p.dentry->inode();
  TRY(inode.permission(*t.cred, MAY_READ));
  const Kstat st = TRY(inode.stat());
  return TRY(instance->watch(inode.watches, Ref<RefCounted>(&inode), st, mask));
}

SysResult sys_inotify_rm_watch(Task& t, int fd, int wd) {
  const Ref<Inotify> instance = TRY(get_inotify(t, fd));
  TRY(instance->remove(wd));
  return 0;
}

}  // namespace starry
