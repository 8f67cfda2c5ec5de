// What the VFS tells inotify(7): one call per kind of change, made after the change succeeded. They cost
// one test while nobody watches anything.
#pragma once

#include <sys/inotify.h>

#include <cstdint>

#include "emulated_kernel/fd/inotify.h"
#include "vfs/path.h"

namespace starry {

class Inode;

namespace notify_detail {
void file(const Dentry& d, uint32_t event);
void entry(const Dentry& dir, const Dentry& d, uint32_t event, uint32_t cookie);
void self(Inode& inode, uint32_t event);
void unlinked(const Dentry& d);
void last_close(Inode& inode);
void renamed(const Dentry& from_dir, const std::string& old_name, const Dentry& d);
}  // namespace notify_detail

// IN_OPEN, IN_ACCESS, IN_MODIFY, IN_ATTRIB, IN_CLOSE_*: for watches of the object and of its directory.
inline void notify_file(const Dentry& d, uint32_t event) {
  if (inotify_active()) notify_detail::file(d, event);
}
// `d` appeared in `dir`: create, mkdir, symlink, mknod.
inline void notify_created(const Dentry& dir, const Dentry& d) {
  if (inotify_active()) notify_detail::entry(dir, d, IN_CREATE, 0);
}
// A further name of an existing object appeared.
inline void notify_linked(const Dentry& dir, const Dentry& d, Inode& inode) {
  if (!inotify_active()) return;
  notify_detail::self(inode, IN_ATTRIB);
  notify_detail::entry(dir, d, IN_CREATE, 0);
}
// unlink and rmdir, after Dentry::remove().
inline void notify_removed(const Dentry& dir, const Dentry& d) {
  if (!inotify_active()) return;
  notify_detail::entry(dir, d, IN_DELETE, 0);
  notify_detail::unlinked(d);
}
// rename: `d` is where it is now; `replaced` (may be null) is what was there and has lost its name.
inline void notify_renamed(const Dentry& from_dir, const std::string& old_name, const Dentry& d,
                           const Dentry* replaced) {
  if (!inotify_active()) return;
  notify_detail::renamed(from_dir, old_name, d);
  if (replaced != nullptr) notify_detail::unlinked(*replaced);
}
// An open file of `inode` went away: if it was the last one of an unlinked object, that is its end.
inline void notify_last_close(Inode& inode) {
  if (inotify_active()) notify_detail::last_close(inode);
}

}  // namespace starry
