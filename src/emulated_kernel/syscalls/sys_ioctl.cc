// ioctl(2): the requests that work on every descriptor; the rest is up to the file.
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/async_owner.h"
#include "emulated_kernel/fd/fget.h"
#include "vfs/inode.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

// FIONBIO and FIOASYNC: an int behind the argument switches a status flag.
SysResult switch_flag(Task& t, File& f, int flag, int fd, UserPtr<int> arg) {
  const bool on = TRY(t.mem().get(arg)) != 0;
  if (flag == O_ASYNC && on != ((f.flags() & O_ASYNC) != 0)) TRY(set_async(f, fd, on));
  TRY(f.set_status_flags(on ? f.flags() | flag : f.flags() & ~flag));
  return 0;
}

// FICLONE and FICLONERANGE: no file system here shares blocks, so this is what vfs_clone_file_range() says
// before it asks one (ioctl_ficlonerange(2)).
SysResult clone_range(Task& t, File& out, int in_fd) {
  const Ref<File> in = TRY(get_io_file(t, in_fd));
  Inode *a = vfs_inode(*in), *b = vfs_inode(out);
  if ((a == nullptr) != (b == nullptr) || (a != nullptr && &a->sb() != &b->sb())) return Error{EXDEV};
  if (a != nullptr && (a->is_dir() || b->is_dir())) return Error{EISDIR};
  if (a == nullptr || !a->is_regular() || !b->is_regular()) return Error{EINVAL};
  if (!in->readable() || !out.writable() || (out.flags() & O_APPEND)) return Error{EBADF};
  return Error{EOPNOTSUPP};
}

bool has_size(const Kstat& st) { return S_ISREG(st.mode) || S_ISDIR(st.mode) || S_ISLNK(st.mode); }

}  // namespace

SysResult sys_ioctl(Task& t, int fd, unsigned cmd, uint64_t arg) {
  const Ref<File> f = TRY(get_io_file(t, fd));
  switch (cmd) {
    case FIOCLEX:
    case FIONCLEX:
      t.files->set_cloexec(fd, cmd == FIOCLEX);
      return 0;
    case FIONBIO:
      return switch_flag(t, *f, O_NONBLOCK, fd, {arg});
    case FIOASYNC:
      return switch_flag(t, *f, O_ASYNC, fd, {arg});
    case FIOQSIZE: {
      const Kstat st = TRY(f->stat());
      if (!has_size(st)) return Error{ENOTTY};
      // What is allocated, not the length (inode_get_bytes).
      TRY(t.mem().put(UserPtr<int64_t>{arg}, static_cast<int64_t>(st.blocks * 512)));
      return 0;
    }
    case FIGETBSZ: {
      const Kstat st = TRY(f->stat());
      TRY(t.mem().put(UserPtr<int>{arg}, static_cast<int>(st.blksize)));
      return 0;
    }
    case FICLONE:
      return clone_range(t, *f, static_cast<int>(arg));
    case FICLONERANGE:
      return clone_range(t, *f, static_cast<int>(TRY(t.mem().get(UserPtr<file_clone_range>{arg})).src_fd));
    case FIONREAD: {
      const Result<Kstat> st = f->stat();
      if (!st.ok() || !S_ISREG(st.value().mode)) break;
      TRY(t.mem().put(UserPtr<int>{arg}, static_cast<int>(static_cast<int64_t>(st.value().size) - f->pos)));
      return 0;
    }
    default:
      break;
  }
  return f->ioctl(t, cmd, arg);
}

}  // namespace starry
