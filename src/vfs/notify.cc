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

void self(const Inode* inode, uint32_t event) {
  if (InodeWatches* w = watches_of(inode)) w->notify(event | dir_bit(inode), {}, 0);
}

void entry(const Dentry& dir, std::string_view name, const Inode* inode, uint32_t event,
           uint32_t cookie = 0) {
  if (InodeWatches* w = watches_of(dir.inode())) w->notify(event | dir_bit(inode), name, cookie);
}

}  // namespace

void file(const Dentry& d, uint32_t event) {
  if (d.parent() != nullptr)
    if (InodeWatches* w = watches_of(d.parent()->inode()))
      w->notify(event | dir_bit(d.inode()), d.name(), 0, d.deleted());
  self(d.inode(), event);
}

void created(const Dentry& dir, const Dentry& d) { entry(dir, d.name(), d.inode(), IN_CREATE); }

void linked(const Dentry& dir, const Dentry& d) {
  self(d.inode(), IN_ATTRIB);
  entry(dir, d.name(), d.inode(), IN_CREATE);
}

void last_close(const Dentry& d) {
  InodeWatches* w = watches_of(d.inode());
  if (w == nullptr || !d.deleted() || d.inode()->opens != 0) return;
  const Result<Kstat> st = d.inode()->stat();
  if (!st.ok() || st.value().nlink == 0 || d.inode()->is_dir()) w->deleted();
}

// The order is that of vfs_unlink(): link count, end of the object, then the directory.
void removed(const Dentry& dir, const Dentry& d) {
  if (!d.inode()->is_dir()) self(d.inode(), IN_ATTRIB);
  last_close(d);
  entry(dir, d.name(), d.inode(), IN_DELETE);
}

void renamed(const Dentry& from_dir, const std::string& old_name, const Dentry& d, const Dentry* replaced) {
  const uint32_t cookie = inotify_cookie();
  entry(from_dir, old_name, d.inode(), IN_MOVED_FROM, cookie);
  if (d.parent() != nullptr) entry(*d.parent(), d.name(), d.inode(), IN_MOVED_TO, cookie);
  if (d.parent() == &from_dir)
    if (InodeWatches* w = watches_of(from_dir.inode())) w->renamed_within();
  if (replaced != nullptr && !replaced->inode()->is_dir()) self(replaced->inode(), IN_ATTRIB);
  // IN_ISDIR is not set here in Linux.
  if (InodeWatches* w = watches_of(d.inode())) w->notify(IN_MOVE_SELF, {}, 0);
  if (replaced != nullptr) last_close(*replaced);
}

}  // namespace starry::notify_detail
