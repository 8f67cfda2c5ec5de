#include "emulated_kernel/fd/dnotify.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>

#include "emulated_kernel/fd/async_owner.h"
#include "emulated_kernel/fd/inotify.h"
#include "emulated_kernel/task/task.h"
#include "vfs/inode.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

size_t mark_count = 0;

}  // namespace

DirMark::DirMark(File& f, const void* files, Ref<InodeWatches> w) : file(f), owner(files), on(std::move(w)) {
  ++mark_count;
}

DirMark::~DirMark() { --mark_count; }

size_t dir_mark_count() { return mark_count; }

uint32_t dnotify_bits(uint32_t event) {
  uint32_t bits = 0;
  if ((event & IN_ACCESS) != 0) bits |= DN_ACCESS;
  if ((event & IN_MODIFY) != 0) bits |= DN_MODIFY;
  if ((event & IN_ATTRIB) != 0) bits |= DN_ATTRIB;
  if ((event & (IN_CREATE | IN_MOVED_TO)) != 0) bits |= DN_CREATE;
  if ((event & (IN_DELETE | IN_MOVED_FROM)) != 0) bits |= DN_DELETE;
  return bits;
}

void dnotify_send(DirMark& mark) {
  async_owner(mark.file).send(POLL_MSG, EPOLLIN | EPOLLRDNORM | EPOLLMSG);
  if ((mark.mask & DN_MULTISHOT) == 0) mark.file.attached.dir_mark.reset();
}

Result<void> dnotify_set(Task& t, File& f, int fd, uint32_t mask) {
  std::unique_ptr<DirMark>& mark = f.attached.dir_mark;
  if ((mask & ~DN_MULTISHOT) == 0) {
    mark.reset();
    return {};
  }
  Inode* dir = vfs_inode(f);
  if (dir == nullptr || !dir->is_dir()) return Error{ENOTDIR};
  if (!mark) {
    if (!dir->watches) dir->watches = make_ref<InodeWatches>();
    const Ref<InodeWatches> watches(static_cast<InodeWatches*>(dir->watches.get()));
    mark = std::make_unique<DirMark>(f, t.files.get(), watches);
    watches->add_mark(*mark);
  }
  mark->mask |= mask;
  AsyncOwner& owner = async_owner(f);
  owner.fd = fd;
  if (owner.id == 0) owner.type = F_OWNER_PID, owner.id = t.tgid();
  return {};
}

}  // namespace starry
