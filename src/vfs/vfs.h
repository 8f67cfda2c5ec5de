// The VFS as the rest of the kernel uses it. System calls on paths are in syscalls/sys_{open,stat,
// path,dir,xattr,mount}.cc.
#pragma once

#include <string>
#include <string_view>

#include "emulated_kernel/fd/file.h"
#include "vfs/path.h"

namespace starry {

class Task;
class FsContext;

// openat(2) without the descriptor. dirfd may be AT_FDCWD.
Result<Ref<File>> vfs_open(Task& t, int dirfd, std::string_view path, int flags, uint32_t mode);
// For execve: regular file, execute permission, not on a noexec mount. EACCES, ENOENT, ...
Result<Ref<File>> vfs_open_exec(Task& t, int dirfd, std::string_view path, int at_flags);
// Absolute path of a place as seen from `root` (d_path); " (deleted)" appended when unlinked,
// "(unreachable)" prefixed when not below root.
std::string vfs_path_name(const Path& p, const Path& root);
// Absolute path of an open file as the task sees it; describe() for files that have no path.
std::string vfs_file_name(Task& t, File& f);
// Binds an AF_UNIX socket inode at `path` / finds the socket bound there. The inode keeps a weak
// pointer to the owner object. EADDRINUSE, ECONNREFUSED, ...
class UnixBinding;  // netstack/unix_binding.h
Result<Path> vfs_bind_unix(Task& t, std::string_view path, uint32_t mode, UnixBinding* owner);
Result<UnixBinding*> vfs_find_unix(Task& t, std::string_view path);

}  // namespace starry
