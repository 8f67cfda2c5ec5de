// Path arguments of system calls: the text from the guest and the directory it starts from.
#pragma once

#include <fcntl.h>

#include <string>

#include "emulated_kernel/task/task.h"
#include "vfs/dentry.h"
#include "vfs/ops.h"
#include "vfs/vfs.h"

namespace starry {

struct PathArg {
  std::string text;
  Path start;
};

// EFAULT, ENAMETOOLONG, ENOENT (empty, unless `empty_ok`), EBADF.
inline Result<PathArg> path_arg(Task& t, int dirfd, UserPtr<const char> path, bool empty_ok = false) {
  PathArg a;
  a.text = TRY(t.mem().read_cstr(path.addr, PATH_LEN_MAX, ENAMETOOLONG));
  if (a.text.empty() && !empty_ok) return Error{ENOENT};
  a.start = TRY(vfs_start(t, dirfd, a.text));
  return a;
}

// The existing object that the argument names.
inline Result<Path> path_of(Task& t, int dirfd, UserPtr<const char> path, unsigned walk_flags) {
  PathArg a = TRY(path_arg(t, dirfd, path, (walk_flags & WALK_EMPTY) != 0));
  return walk_path(Caller(t), a.start, a.text, walk_flags);
}

// AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH as walk flags.
inline unsigned walk_flags_of(int at_flags) {
  unsigned w = (at_flags & AT_SYMLINK_NOFOLLOW) ? 0u : static_cast<unsigned>(WALK_FOLLOW);
  if (at_flags & AT_EMPTY_PATH) w |= WALK_EMPTY;
  return w;
}

}  // namespace starry
