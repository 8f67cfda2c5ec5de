// The VFS as the rest of the kernel uses it. System calls on paths are in syscalls/sys_{open,stat,
// path,dir,xattr,mount}.cc.
#pragma once

#include <string>
#include <string_view>

#include "emulated_kernel/fd/file.h"
#include "vfs/path.h"

namespace starry {

class FsContext;
class Inode;
class Task;

// Setting up, by the kernel itself (no permission checks). First the root: the inode that make_overlay
// or make_hostdir returns. Those two are not file system types of their own, so that a guest's mount(2)
// can never name a host path.
Result<Path> vfs_mount_root(Ref<Inode> root, std::string source, unsigned long flags);
// Mounts on an absolute path of the guest's tree; `make_dirs` creates what is missing of the path.
Result<void> vfs_mount_inode(Ref<Inode> root, std::string source, std::string_view target,
                             unsigned long flags, bool make_dirs = false);
// The same with a registered type ("proc", "tmpfs", ...). ENODEV.
Result<void> vfs_mount(std::string_view fs_name, std::string source, std::string_view target,
                       unsigned long flags, std::string data, bool make_dirs = false);
// Root and working directory for the first process: "/" and `cwd` (ENOENT, ENOTDIR).
Result<Ref<FsContext>> vfs_initial_context(std::string_view cwd);

// Where a relative `path` of an *at() call starts. EBADF. (That it is a directory is the walk's check.)
Result<Path> vfs_start(Task& t, int dirfd, std::string_view path);
// The existing object behind a name; `walk_flags`: WALK_FOLLOW, ... of vfs/walk.h.
Result<Path> vfs_lookup(Task& t, int dirfd, std::string_view path, unsigned walk_flags);
// openat(2) without the descriptor. dirfd may be AT_FDCWD.
Result<Ref<File>> vfs_open(Task& t, int dirfd, std::string_view path, int flags, uint32_t mode);
// For execve: regular file, execute permission, not on a noexec mount. EACCES, ENOENT, ...
Result<Ref<File>> vfs_open_exec(Task& t, int dirfd, std::string_view path, int at_flags);
// Absolute path of a place as seen from `root` (d_path); " (deleted)" appended when unlinked,
// "(unreachable)" prefixed when not below root.
std::string vfs_path_name(const Path& p, const Path& root);
// Absolute path of an open file as the task sees it; describe() for files that have no path.
std::string vfs_file_name(Task& t, File& f);
// Where an open file is: what magic links to it (/proc/self/fd/N) return from Inode::follow(). Pipes,
// sockets and the like get an anonymous place: its name is describe(), its attributes are
// File::stat(), opening it calls File::reopen().
Path vfs_file_path(const Ref<File>& f);
// An anonymous place for an inode that no directory names (memfd_create).
Path vfs_anon_path(Ref<Inode> inode, std::string name);
// The inode of an open file; null for pipes, sockets, eventfds, ...
Inode* vfs_inode(const File& f);
// fstat(2) of any file.
Result<Kstat> vfs_file_stat(File& f);
// Binds an AF_UNIX socket inode at `path` / finds the socket bound there. The inode keeps a weak
// pointer to the owner object. EADDRINUSE, ECONNREFUSED, ...
class UnixBinding;  // netstack/unix_binding.h
Result<Path> vfs_bind_unix(Task& t, std::string_view path, uint32_t mode, UnixBinding* owner);
Result<UnixBinding*> vfs_find_unix(Task& t, std::string_view path);
// The owner is going away: connecting to the inode is refused from now on.
void vfs_unbind_unix(const Path& p);

}  // namespace starry
