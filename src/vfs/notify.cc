#include "vfs/notify.h"

#include "vfs/dentry.h"
#include "vfs/inode.h"

namespace starry::notify_detail {

namespace {

InodeWatches* watches_of(const Inode* inode) {
  auto* w = inode != nullptr ? static_cast<InodeWatches*>(inode->watches.get()) : nullptr;
  return w != nullptr && !w->empty() ? w : nullptr;
}

uint32_t dir_bit(const Inode* inode) { return inode != nullptr && inode->is_dir() ? IN_ISDIR : 0U; }

}  // namespace

void self(Inode& inode, uint32_t event) {
  if (InodeWatches* w = watches_of(&inode)) w->notify(event | dir_bit(&inode), {}, 0);
}

void file(const Dentry& d, uint32_t event) {
  event |= dir_bit(d.inode());
  if (d.parent() != nullptr)
    if (InodeWatches* w = watches_of(d.parent()->inode())) w->notify(event, d.name(), 0, d.deleted());
  if (InodeWatches* w = watches_of(d.inode())) w->notify(event, {}, 0);
}

void entry(const Dentry& dir, const Dentry& d, uint32_t event, uint32_t cookie) {
  if (InodeWatches* w = watches_of(dir.inode())) w->notify(event | dir_bit(d.inode()), d.name(), cookie);
}

// The object lost a name. Without names and users it is gone; else only its link count changed.
void unlinked(const Dentry& d) {
  Inode& inode = *d.inode();
  InodeWatches* w = watches_of(&inode);
  if (w == nullptr) return;
  if (!inode.is_dir()) w->notify(IN_ATTRIB, {}, 0);
  last_close(inode);
}

void last_close(Inode& inode) {
  InodeWatches* w = watches_of(&inode);
  if (w == nullptr || inode.opens != 0) return;
  const Result<Kstat> st = inode.stat();
  if (!st.ok() || st.value().nlink == 0 || inode.is_dir()) w->deleted();
}

void renamed(const Dentry& from_dir, const std::string& old_name, const Dentry& d) {
  const uint32_t cookie = inotify_cookie();
  const uint32_t isdir = dir_bit(d.inode());
  if (InodeWatches* w = watches_of(from_dir.inode())) w->notify(IN_MOVED_FROM | isdir, old_name, cookie);
  if (d.parent() != nullptr) entry(*d.parent(), d, IN_MOVED_TO, cookie);
  if (InodeWatches* w = watches_of(d.inode())) w->notify(IN_MOVE_SELF, {}, 0);
}

}  // namespace starry::notify_detail
