// Permission checks by emulated credentials (path_resolution(7), capabilities(7)).
#pragma once

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/task/cred.h"

namespace starry {

class Dentry;
class Inode;
struct Path;
struct NewInode;

// Capabilities that the VFS knows, by number (linux/capability.h).
inline constexpr int CAP_NR_CHOWN = 0, CAP_NR_DAC_OVERRIDE = 1, CAP_NR_DAC_READ_SEARCH = 2, CAP_NR_FOWNER = 3,
                     CAP_NR_FSETID = 4, CAP_NR_SYS_CHROOT = 18, CAP_NR_SYS_ADMIN = 21, CAP_NR_MKNOD = 27;

// The mode bits of `attr` against `may` (MAY_READ | ...). EACCES.
Result<void> generic_permission(const Kstat& attr, const Cred& cred, int may);

// The inode's own rule, then EROFS for writing to a read-only mount. What path operations call.
Result<void> path_permission(const Path& p, const Cred& cred, int may);

// Owner of the file or CAP_FOWNER.
bool owner_or_capable(const Kstat& attr, const Cred& cred);
// May a name be added to directory `dir`? ENOENT (removed directory), EACCES, EROFS.
Result<void> may_create(const Path& dir, const Cred& cred);
// May the name `victim` be removed from `dir`, as a directory or as something else? Sticky bit rule.
// EACCES, EPERM, ENOTDIR, EISDIR, EBUSY (a mount point).
Result<void> may_delete(const Path& dir, Dentry& victim, const Cred& cred, bool as_dir);

// Owner, group and mode of a new object in `dir`: fsuid/fsgid or the directory's group (S_ISGID).
// `mode` has type and permission bits with the umask not yet applied.
Result<NewInode> new_inode(Inode& dir, const Cred& cred, uint32_t mode, uint32_t umask);

}  // namespace starry
