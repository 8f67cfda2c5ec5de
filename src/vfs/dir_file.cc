#include "vfs/dir_file.h"

#include <dirent.h>
#include <sys/epoll.h>

#include <climits>

#include "emulated_kernel/fd/dir_sink.h"
#include "emulated_kernel/fd/locks.h"
#include "vfs/dentry.h"
#include "vfs/mount.h"
#include "vfs/notify.h"

namespace starry {

DirFile::DirFile(const Path& where, int flags) : File(flags) {
  path = std::make_shared<const Path>(where);
  ++inode().opens;
  notify_file(*where.dentry, IN_OPEN);
}

DirFile::~DirFile() {
  --inode().opens;
  notify_file(*path->dentry, IN_CLOSE_NOWRITE);
  notify_last_close(*path->dentry);
}

Inode& DirFile::inode() const { return *path->dentry->inode(); }

Ref<FileLocks>& DirFile::lock_slot() { return inode().locks; }

uint32_t DirFile::poll() { return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM; }

Result<Kstat> DirFile::stat() { return inode().stat(); }

Result<int64_t> DirFile::seek(int64_t offset, int whence) {
  int64_t base = whence == SEEK_CUR ? pos : 0;
  if (whence == SEEK_END) base = INT64_MAX;  // as ext4's hash directories: beyond the last entry
  if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) return Error{EINVAL};
  int64_t target;
  if (__builtin_add_overflow(base, offset, &target) || target < 0) return Error{EINVAL};
  if (target == 0) listed_ = false;
  pos = target;
  return pos;
}

// Positions: 0 is ".", 1 is "..", then the entries in the order of the list.
Result<void> DirFile::read_dir(DirSink& sink) {
  if (path->dentry->deleted()) return Error{ENOENT};
  if (pos == 0 || !listed_) {
    entries_ = TRY(inode().list());
    listed_ = true;
  }
  auto emit = [&](std::string_view name, uint64_t ino, uint8_t type) {
    if (!sink.add(name, ino, pos + 1, type)) return false;
    ++pos;
    return true;
  };
  if (pos == 0 && !emit(".", inode().ino(), DT_DIR)) return {};
  if (pos == 1) {
    const Dentry* up = path->dentry->parent();
    if (path->dentry == path->mount->root && path->mount->mountpoint)
      up = path->mount->mountpoint->parent() ? path->mount->mountpoint->parent() : up;
    if (!emit("..", up != nullptr ? up->inode()->ino() : inode().ino(), DT_DIR)) return {};
  }
  while (static_cast<uint64_t>(pos) < entries_.size() + 2) {
    const DirEntry& e = entries_[static_cast<size_t>(pos) - 2];
    if (!emit(e.name, e.ino, e.type)) break;
  }
  notify_file(*path->dentry, IN_ACCESS);
  return {};
}

PathFile::PathFile(const Path& where, int flags) : File(flags) {
  path = std::make_shared<const Path>(where);
  ++path->dentry->inode()->opens;
}

PathFile::~PathFile() { --path->dentry->inode()->opens; }

Result<Kstat> PathFile::stat() { return path->dentry->inode()->stat(); }

}  // namespace starry
