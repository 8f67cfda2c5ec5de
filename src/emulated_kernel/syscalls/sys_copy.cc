// sendfile(2), copy_file_range(2): file data that does not pass through the guest.
#include <fcntl.h>

#include <algorithm>
#include <memory>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/fd/file_io.h"
#include "emulated_kernel/fd/iovec_import.h"
#include "vfs/inode.h"
#include "vfs/regular_file.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

constexpr size_t COPY_CHUNK = 64 * 1024;

// Moves up to `count` bytes. What the output does not take stays unread: *pos counts what was written.
SysResult pump(Task& t, File& in, int64_t* pos, File& out, size_t count) {
  auto buf = std::make_unique_for_overwrite<uint8_t[]>(std::min(COPY_CHUNK, count));
  size_t done = 0;
  while (done < count) {
    int64_t at = *pos;
    const size_t want = std::min(COPY_CHUNK, count - done);
    IoVec to = IoVec::kernel(buf.get(), want);
    Result<size_t> got = file_read(in, to, &at, 0);
    if (!got.ok()) return done != 0 ? SysResult(static_cast<int64_t>(done)) : got.error();
    if (*got == 0) break;
    IoVec from = IoVec::kernel(buf.get(), *got);
    Result<size_t> put = file_write(t, out, from, &out.pos, 0);
    if (!put.ok()) return done != 0 ? SysResult(static_cast<int64_t>(done)) : put.error();
    *pos += static_cast<int64_t>(*put);
    done += *put;
    if (*put < *got || *got < want) break;
  }
  return static_cast<int64_t>(done);
}

void count_copy(Task& t, int64_t done) {
  ++t.io.syscr, ++t.io.syscw;
  t.io.rchar += static_cast<uint64_t>(done), t.io.wchar += static_cast<uint64_t>(done);
}

// An offset argument: the guest's variable, or the file's position where it is null.
Result<int64_t> load_offset(Task& t, UserPtr<int64_t> p, const File& f) {
  return p ? t.mem().get(p) : Result<int64_t>(f.pos);
}

Result<void> store_offset(Task& t, UserPtr<int64_t> p, File& f, int64_t v) {
  if (p) return t.mem().put(p, v);
  f.pos = v;
  return {};
}

}  // namespace

SysResult sys_sendfile(Task& t, int out_fd, int in_fd, UserPtr<int64_t> offset, size_t count) {
  if (offset) TRY(t.mem().get(offset));  // EFAULT goes before all else
  Ref<File> in = TRY(get_io_file(t, in_fd));
  if (!in->readable()) return Error{EBADF};
  if (offset && !in->seekable()) return Error{ESPIPE};
  int64_t at = TRY(load_offset(t, offset, *in));
  if (at < 0) return Error{EINVAL};
  Ref<File> out = TRY(get_io_file(t, out_fd));
  if (!out->writable()) return Error{EBADF};
  Inode* inode = vfs_inode(*in);
  if (inode == nullptr || !(inode->is_regular() || inode->type() == S_IFBLK)) return Error{EINVAL};
  if (out->flags() & O_APPEND) return Error{EINVAL};
  int64_t done = TRY(pump(t, *in, &at, *out, std::min(count, MAX_RW_COUNT)));
  count_copy(t, done);
  TRY(store_offset(t, offset, *in, at));
  return done;
}

SysResult sys_copy_file_range(Task& t, int fd_in, UserPtr<int64_t> off_in, int fd_out,
                              UserPtr<int64_t> off_out, size_t len, unsigned flags) {
  Ref<File> in = TRY(get_io_file(t, fd_in)), out = TRY(get_io_file(t, fd_out));
  int64_t from = TRY(load_offset(t, off_in, *in)), to = TRY(load_offset(t, off_out, *out));
  if (flags != 0) return Error{EINVAL};
  Inode *a = vfs_inode(*in), *b = vfs_inode(*out);
  if ((a != nullptr && a->is_dir()) || (b != nullptr && b->is_dir())) return Error{EISDIR};
  if (a == nullptr || b == nullptr || !a->is_regular() || !b->is_regular()) return Error{EINVAL};
  if (!in->readable() || !out->writable() || (out->flags() & O_APPEND)) return Error{EBADF};
  const auto wraps = [len](int64_t at) {
    return static_cast<uint64_t>(at) + len < static_cast<uint64_t>(at);
  };
  if (wraps(from) || wraps(to)) return Error{EOVERFLOW};
  if (from < 0 || to < 0) return Error{EINVAL};
  auto* src = dynamic_cast<RegularFile*>(in.get());
  auto* dst = dynamic_cast<RegularFile*>(out.get());
  if (src == nullptr || dst == nullptr || &a->sb() != &b->sb()) return Error{EXDEV};

  len = std::min(len, MAX_RW_COUNT);
  const auto count = static_cast<int64_t>(len);
  int64_t end;
  if (__builtin_add_overflow(from, count, &end) || __builtin_add_overflow(to, count, &end))
    return Error{EOVERFLOW};
  if (a == b && from < to + count && to < from + count) return Error{EINVAL};
  TRY(check_file_size(t, to));
  len = std::min<uint64_t>(len, t.rlimit(RLIMIT_FSIZE) - static_cast<uint64_t>(to));
  auto done = static_cast<int64_t>(
      TRY(RegularFile::copy(*src, static_cast<uint64_t>(from), *dst, static_cast<uint64_t>(to), len)));
  count_copy(t, done);
  TRY(store_offset(t, off_in, *in, from + done));
  TRY(store_offset(t, off_out, *out, to + done));
  return done;
}

}  // namespace starry
