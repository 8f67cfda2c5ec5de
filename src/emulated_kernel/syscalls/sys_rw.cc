// read and write families, lseek, and what goes with the data of one file.
#include <fcntl.h>
#include <sys/uio.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/fd/file_io.h"
#include "emulated_kernel/fd/iovec_import.h"
#include "emulated_kernel/mm/mm.h"
#include "vfs/dentry.h"
#include "vfs/fs_context.h"
#include "vfs/inode.h"
#include "vfs/mount.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

enum class Direction { read, write };

SysResult transfer(Task& t, File& f, Direction dir, IoVec& v, int64_t* pos, int flags) {
  const bool reads = dir == Direction::read;
  ++(reads ? t.io.syscr : t.io.syscw);
  const size_t n = reads ? TRY(file_read(f, v, pos, flags)) : TRY(file_write(t, f, v, pos, flags));
  (reads ? t.io.rchar : t.io.wchar) += n;
  return static_cast<int64_t>(n);
}

SysResult one_buffer(Task& t, File& f, Direction dir, UserAddr buf, size_t count, int64_t* pos) {
  if (dir == Direction::read ? !f.readable() : !f.writable()) return Error{EBADF};
  if (count > GUEST_TASK_SIZE || buf > GUEST_TASK_SIZE - count) return Error{EFAULT};
  IoVec v = IoVec::user(t.mem(), buf, std::min(count, MAX_RW_COUNT));
  return transfer(t, f, dir, v, pos, 0);
}

SysResult at_offset(Task& t, int fd, Direction dir, UserAddr buf, size_t count, int64_t offset) {
  if (offset < 0) return Error{EINVAL};
  Ref<File> f = TRY(get_io_file(t, fd));
  if (!f->seekable()) return Error{ESPIPE};
  return one_buffer(t, *f, dir, buf, count, &offset);
}

SysResult vectored(Task& t, File& f, Direction dir, UserPtr<const GuestIovec> iov, unsigned long count,
                   int64_t* pos, int flags) {
  const bool reads = dir == Direction::read;
  if (reads ? !f.readable() : !f.writable()) return Error{EBADF};
  if (reads ? !f.can_read() : !f.can_write()) return Error{EINVAL};
  std::vector<IoVec::Segment> segs = TRY(import_iovec(t.mem(), iov, count));
  if (segs.empty()) return 0;  // nobody asks the file then, unlike for read(2) of length 0
  constexpr int RWF_KNOWN = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND;
  if ((flags & ~RWF_KNOWN) || (reads && (flags & RWF_APPEND))) return Error{EOPNOTSUPP};
  IoVec v(&t.mem(), std::span<const IoVec::Segment>(segs));
  return transfer(t, f, dir, v, pos, flags);
}

SysResult vectored_at(Task& t, int fd, Direction dir, UserPtr<const GuestIovec> iov, unsigned long count,
                      int64_t offset, int flags) {
  if (offset < -1) return Error{EINVAL};
  Ref<File> f = TRY(get_io_file(t, fd));
  int64_t result;
  if (offset == -1) {  // the file's own position: preadv2(2), pwritev2(2)
    result = TRY(vectored(t, *f, dir, iov, count, &f->pos, flags));
  } else {
    if (!f->seekable()) return Error{ESPIPE};
    result = TRY(vectored(t, *f, dir, iov, count, &offset, flags));
  }
  if (result > 0 && dir == Direction::write && (flags & (RWF_DSYNC | RWF_SYNC)))
    TRY(f->fsync(!(flags & RWF_SYNC)));
  return result;
}

SysResult flush_file(Task& t, int fd, bool data_only) {
  Ref<File> f = TRY(get_io_file(t, fd));
  TRY(f->fsync(data_only));
  return 0;
}

bool is_regular(const File& f) {
  const Inode* inode = vfs_inode(f);
  return inode != nullptr && inode->is_regular();
}

}  // namespace

SysResult sys_read(Task& t, int fd, UserPtr<void> buf, size_t count) {
  Ref<File> f = TRY(get_io_file(t, fd));
  return one_buffer(t, *f, Direction::read, buf.addr, count, &f->pos);
}

SysResult sys_write(Task& t, int fd, UserPtr<const void> buf, size_t count) {
  Ref<File> f = TRY(get_io_file(t, fd));
  return one_buffer(t, *f, Direction::write, buf.addr, count, &f->pos);
}

SysResult sys_pread64(Task& t, int fd, UserPtr<void> buf, size_t count, int64_t offset) {
  return at_offset(t, fd, Direction::read, buf.addr, count, offset);
}

SysResult sys_pwrite64(Task& t, int fd, UserPtr<const void> buf, size_t count, int64_t offset) {
  return at_offset(t, fd, Direction::write, buf.addr, count, offset);
}

SysResult sys_readv(Task& t, int fd, UserPtr<const GuestIovec> iov, unsigned long iovcnt) {
  Ref<File> f = TRY(get_io_file(t, fd));
  return vectored(t, *f, Direction::read, iov, iovcnt, &f->pos, 0);
}

SysResult sys_writev(Task& t, int fd, UserPtr<const GuestIovec> iov, unsigned long iovcnt) {
  Ref<File> f = TRY(get_io_file(t, fd));
  return vectored(t, *f, Direction::write, iov, iovcnt, &f->pos, 0);
}

// On a 64-bit kernel the low half of the offset is all of it. Without flags, -1 is just negative.
SysResult sys_preadv(Task& t, int fd, UserPtr<const GuestIovec> iov, unsigned long iovcnt, uint64_t pos_l,
                     uint64_t) {
  if (static_cast<int64_t>(pos_l) < 0) return Error{EINVAL};
  return vectored_at(t, fd, Direction::read, iov, iovcnt, static_cast<int64_t>(pos_l), 0);
}

SysResult sys_preadv2(Task& t, int fd, UserPtr<const GuestIovec> iov, unsigned long iovcnt, uint64_t pos_l,
                      uint64_t, int flags) {
  return vectored_at(t, fd, Direction::read, iov, iovcnt, static_cast<int64_t>(pos_l), flags);
}

SysResult sys_pwritev(Task& t, int fd, UserPtr<const GuestIovec> iov, unsigned long iovcnt, uint64_t pos_l,
                      uint64_t) {
  if (static_cast<int64_t>(pos_l) < 0) return Error{EINVAL};
  return vectored_at(t, fd, Direction::write, iov, iovcnt, static_cast<int64_t>(pos_l), 0);
}

SysResult sys_pwritev2(Task& t, int fd, UserPtr<const GuestIovec> iov, unsigned long iovcnt, uint64_t pos_l,
                       uint64_t, int flags) {
  return vectored_at(t, fd, Direction::write, iov, iovcnt, static_cast<int64_t>(pos_l), flags);
}

SysResult sys_lseek(Task& t, int fd, int64_t offset, int whence) {
  Ref<File> f = TRY(get_io_file(t, fd));
  if (whence < 0 || whence > SEEK_HOLE) return Error{EINVAL};
  return f->seek(offset, whence);
}

SysResult sys_fsync(Task& t, int fd) { return flush_file(t, fd, false); }
SysResult sys_fdatasync(Task& t, int fd) { return flush_file(t, fd, true); }

SysResult sys_sync(Task& t) {
  for (Mount* m : all_mounts(*t.fs->mounts)) (void)m->sb->sync();  // sync(2) reports nothing
  return 0;
}

SysResult sys_syncfs(Task& t, int fd) {
  Ref<File> f = TRY(get_io_file(t, fd));
  if (Inode* inode = vfs_inode(*f)) TRY(inode->sb().sync());
  return 0;
}

SysResult sys_sync_file_range(Task& t, int fd, int64_t offset, int64_t nbytes, unsigned flags) {
  constexpr unsigned KNOWN = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  Ref<File> f = TRY(get_io_file(t, fd));
  int64_t end;
  if ((flags & ~KNOWN) || offset < 0 || nbytes < 0 || __builtin_add_overflow(offset, nbytes, &end))
    return Error{EINVAL};
  const Kstat st = TRY(f->stat());
  if (!S_ISREG(st.mode) && !S_ISDIR(st.mode)) return Error{ESPIPE};
  if ((flags & SYNC_FILE_RANGE_WAIT_AFTER) && S_ISREG(st.mode)) TRY(f->fsync(true));
  return 0;
}

// Advice: the host's read-ahead serves us anyway.
SysResult sys_readahead(Task& t, int fd, int64_t, size_t) {
  Ref<File> f = TRY(get_io_file(t, fd));
  if (!f->readable()) return Error{EBADF};
  if (!is_regular(*f)) return Error{EINVAL};
  return 0;
}

SysResult sys_fadvise64(Task& t, int fd, int64_t, size_t len, int advice) {
  Ref<File> f = TRY(get_io_file(t, fd));
  if (S_ISFIFO(TRY(f->stat()).mode)) return Error{ESPIPE};
  if (static_cast<int64_t>(len) < 0) return Error{EINVAL};
  if (advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE) return Error{EINVAL};
  return 0;
}

SysResult sys_ftruncate(Task& t, int fd, int64_t length) {
  if (length < 0) return Error{EINVAL};
  Ref<File> f = TRY(get_io_file(t, fd));
  if (!is_regular(*f) || !f->writable()) return Error{EINVAL};
  TRY(check_file_size(t, length));
  TRY(f->truncate(length));
  return 0;
}

SysResult sys_fallocate(Task& t, int fd, int mode, int64_t offset, int64_t len) {
  constexpr int KNOWN = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
                        FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE;
  Ref<File> f = TRY(get_io_file(t, fd));
  if (offset < 0 || len <= 0) return Error{EINVAL};
  if (mode & ~KNOWN) return Error{EOPNOTSUPP};
  if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE)) return Error{EOPNOTSUPP};
  if (!f->writable()) return Error{EBADF};
  const uint32_t type = TRY(f->stat()).mode & S_IFMT;
  if (type == S_IFIFO) return Error{ESPIPE};
  if (type == S_IFDIR) return Error{EISDIR};
  if (type != S_IFREG) return Error{ENODEV};
  int64_t end;
  if (__builtin_add_overflow(offset, len, &end)) return Error{EFBIG};
  if (!(mode & FALLOC_FL_KEEP_SIZE)) TRY(check_file_size(t, end));
  TRY(f->fallocate(mode, offset, len));
  return 0;
}

}  // namespace starry
