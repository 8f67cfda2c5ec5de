// Path operations of the VFS behind the system calls: resolve, check, let the file system do it, keep
// the name cache right. Errors and their order follow the man pages and Linux's fs/namei.c.
#pragma once

#include <string>
#include <string_view>

#include "emulated_kernel/fd/file.h"
#include "vfs/inode.h"
#include "vfs/path.h"
#include "vfs/walk.h"

namespace starry {

// O_LARGEFILE as the kernel has it: set on every open of a 64-bit process, and shown by F_GETFL.
inline constexpr int KERNEL_O_LARGEFILE = 0100000;

// --- open.cc ---
struct OpenHow {
  int flags = 0;
  uint32_t mode = 0;
  unsigned resolve = 0;  // WALK_NO_XDEV, ... WALK_IN_ROOT
  bool cached = false;   // RESOLVE_CACHED: EAGAIN where the file system would have to work
};
// open(2) relative to `start`. ENOENT, EEXIST, EISDIR, ENOTDIR, ELOOP, EACCES, EROFS, EINVAL, ...
Result<Ref<File>> open_at(const Caller& c, const Path& start, std::string_view path, OpenHow how);
// Opens a place that was found already, with permission checks for the access mode.
Result<Ref<File>> open_path(const Caller& c, const Path& where, int flags);

// --- create.cc ---
// What mknod(2) makes: EPERM for directories, EINVAL.
Result<void> check_mknod_mode(uint32_t mode);
// mknod(2), and creation of plain files and sockets: `mode` with the type bits (0 = S_IFREG).
Result<Path> mknod_at(const Caller& c, const Path& start, std::string_view path, uint32_t mode,
                      uint64_t rdev);
Result<Path> mkdir_at(const Caller& c, const Path& start, std::string_view path, uint32_t mode);
Result<void> symlink_at(const Caller& c, const std::string& target, const Path& start, std::string_view path);
Result<void> link_at(const Caller& c, const Path& old, const Path& start, std::string_view path);

// --- remove.cc ---
Result<void> unlink_at(const Caller& c, const Path& start, std::string_view path);
Result<void> rmdir_at(const Caller& c, const Path& start, std::string_view path);
Result<void> check_rename_flags(unsigned flags);
// flags: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT (where SuperBlock::keeps_whiteouts, else EINVAL).
Result<void> rename_at(const Caller& c, const Path& old_start, std::string_view old_path,
                       const Path& new_start, std::string_view new_path, unsigned flags);

// --- setattr.cc ---
Result<void> change_mode(const Caller& c, const Path& p, uint32_t mode);
Result<void> change_owner(const Caller& c, const Path& p, uint32_t uid, uint32_t gid);  // ~0u: keep
// tv_nsec may be UTIME_NOW or UTIME_OMIT; null: both now.
Result<void> change_times(const Caller& c, const Path& p, const timespec* times);
// truncate(2): with permission check; a descriptor that is open for writing uses File::truncate.
Result<void> truncate_path(const Caller& c, const Path& p, int64_t size);
// The rule behind "a write clears set-user-ID": removes the bits unless CAP_FSETID.
Result<void> drop_privileged_bits(const Cred& cred, Inode& inode);

}  // namespace starry
