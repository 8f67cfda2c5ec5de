// What the VFS tells inotify(7) and F_NOTIFY of fcntl(2): one call per kind of change, made after the change
// succeeded. They cost one test while nobody watches anything.
#pragma once

#include <sys/inotify.h>

#include <cstdint>

#include "emulated_kernel/fd/inotify.h"
#include "vfs/path.h"

namespace starry {

namespace notify_detail {
void file(const Dentry& d, uint32_t event);
void created(const Dentry& dir, const Dentry& d);
void linked(const Dentry& dir, const Dentry& d);
void removed(const Dentry& dir, const Dentry& d);
void last_close(const Dentry& d);
void renamed(const Dentry& from_dir, const std::string& old_name, const Dentry& d, const Dentry* replaced);
}  // namespace notify_detail

// IN_OPEN, IN_ACCESS, IN_MODIFY, IN_ATTRIB, IN_CLOSE_*: for watches of the object and of its directory.
inline void notify_file(const Dentry& d, uint32_t event) {
  if (inotify_active()) notify_detail::file(d, event);
}
// `d` appeared in `dir`: create, mkdir, symlink, mknod.
inline void notify_created(const Dentry& dir, const Dentry& d) {
  if (inotify_active()) notify_detail::created(dir, d);
}
// `d` is a further name of an existing object.
inline void notify_linked(const Dentry& dir, const Dentry& d) {
  if (inotify_active()) notify_detail::linked(dir, d);
}
// unlink and rmdir, after Dentry::remove().
inline void notify_removed(const Dentry& dir, const Dentry& d) {
  if (inotify_active()) notify_detail::removed(dir, d);
}
// rename: `d` is where it is now; `replaced` (may be null) is what was there and has lost its name.
inline void notify_renamed(const Dentry& from_dir, const std::string& old_name, const Dentry& d,
                           const Dentry* replaced) {
  if (inotify_active()) notify_detail::renamed(from_dir, old_name, d, replaced);
}
// An open file went away: if it was the last one of an unlinked object, that is the object's end.
inline void notify_last_close(const Dentry& d) {
  if (inotify_active()) notify_detail::last_close(d);
}

}  // namespace starry
