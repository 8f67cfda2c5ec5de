// execve(2), execveat(2).
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/limits.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/task/exec_args.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/task/ptrace.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

// The name that the program sees of a file given by descriptor.
std::string program_path(int dirfd, const std::string& path) {
  if (dirfd == AT_FDCWD || path.starts_with('/')) return path;
  if (path.empty()) return fmt::format("/dev/fd/{}", dirfd);
  return fmt::format("/dev/fd/{}/{}", dirfd, path);
}

SysResult exec_at(Task& t, int dirfd, UserPtr<const char> pathname, UserAddr argv, UserAddr envp, int flags) {
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0) return Error{EINVAL};
  const std::string path = TRY(t.mem().read_cstr(pathname.addr, PATH_MAX, ENAMETOOLONG));
  if (path.empty() && (flags & AT_EMPTY_PATH) == 0) return Error{ENOENT};
  ExecRequest req;
  req.path = program_path(dirfd, path);
  ExecArgs args = TRY(read_exec_args(t, argv, envp, req.path.size()));
  req.argv = std::move(args.argv);
  req.envp = std::move(args.envp);
  req.file = TRY(vfs_open_exec(t, dirfd, path, flags));
  req.path_inaccessible = req.path != path && t.files->cloexec(dirfd);
  const pid_t old_tid = t.ptrace ? t.ptrace->tracer->shown_pid(t.tid) : t.tid;
  TRY(do_exec(t, std::move(req)));
  ptrace_exec(t, old_tid);
  return 0;
}

}  // namespace

SysResult sys_execve(Task& t, UserPtr<const char> pathname, UserPtr<const UserAddr> argv,
                     UserPtr<const UserAddr> envp) {
  return exec_at(t, AT_FDCWD, pathname, argv.addr, envp.addr, 0);
}

SysResult sys_execveat(Task& t, int dirfd, UserPtr<const char> pathname, UserPtr<const UserAddr> argv,
                       UserPtr<const UserAddr> envp, int flags) {
  return exec_at(t, dirfd, pathname, argv.addr, envp.addr, flags);
}

}  // namespace starry
