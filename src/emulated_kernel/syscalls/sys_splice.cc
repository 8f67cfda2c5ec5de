// splice(2), tee(2), vmsplice(2).
#include <fcntl.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/fd/file_io.h"
#include "emulated_kernel/fd/iovec_import.h"
#include "emulated_kernel/fd/splice.h"
#include "vfs/inode.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

constexpr unsigned ALL_FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;

Pipe* pipe_of(File& f) {
  auto* p = dynamic_cast<PipeFile*>(&f);
  return p != nullptr ? &p->pipe() : nullptr;
}

// Directories, eventfds, epolls and the like have neither splice_read nor splice_write.
bool can_splice(const File& f) {
  const Inode* inode = vfs_inode(f);
  return dynamic_cast<const AnonFile*>(&f) == nullptr && (inode == nullptr || !inode->is_dir());
}

// The position that a splice uses on the side that is not a pipe: the guest's offset, the file's own, or
// none for streams.
struct Position {
  UserPtr<int64_t> user;
  int64_t offset = 0;
  int64_t* pos = nullptr;
};

Result<void> load(Task& t, File& f, Position& p) {
  if (p.user) {
    p.offset = TRY(t.mem().get(p.user));
    if (!f.seekable() || p.offset < 0) return Error{EINVAL};
    p.pos = &p.offset;
  } else if (f.seekable()) {
    p.pos = &f.pos;
  }
  return {};
}

}  // namespace

SysResult sys_splice(Task& t, int fd_in, UserPtr<int64_t> off_in, int fd_out, UserPtr<int64_t> off_out,
                     size_t len, unsigned flags) {
  if (len == 0) return 0;
  if ((flags & ~ALL_FLAGS) != 0) return Error{EINVAL};
  const Ref<File> in = TRY(get_io_file(t, fd_in));
  const Ref<File> out = TRY(get_io_file(t, fd_out));
  Pipe* const from = pipe_of(*in);
  Pipe* const to = pipe_of(*out);
  if ((from != nullptr && off_in) || (to != nullptr && off_out)) return Error{ESPIPE};
  if (!in->readable() || !out->writable()) return Error{EBADF};
  len = std::min(len, MAX_RW_COUNT);
  bool nonblock = (flags & SPLICE_F_NONBLOCK) != 0;

  if (from != nullptr && to != nullptr) {
    if (from == to) return Error{EINVAL};
    nonblock = nonblock || in->nonblocking() || out->nonblocking();
    return static_cast<int64_t>(TRY(splice_pipe_to_pipe(*from, *to, len, nonblock)));
  }
  Position p = {from != nullptr ? off_out : off_in};
  size_t moved = 0;
  if (from != nullptr) {
    TRY(load(t, *out, p));
    if ((out->flags() & O_APPEND) != 0 || !can_splice(*out)) return Error{EINVAL};
    moved = TRY(splice_pipe_to_file(t, *from, *out, p.pos, len, nonblock || in->nonblocking()));
  } else if (to != nullptr) {
    TRY(load(t, *in, p));
    if (!can_splice(*in)) return Error{EINVAL};
    moved = TRY(splice_file_to_pipe(*in, p.pos, *to, len, nonblock || out->nonblocking()));
  } else {
    return Error{EINVAL};
  }
  if (p.user) TRY(t.mem().put(p.user, p.offset));
  return static_cast<int64_t>(moved);
}

SysResult sys_tee(Task& t, int fd_in, int fd_out, size_t len, unsigned flags) {
  if ((flags & ~ALL_FLAGS) != 0) return Error{EINVAL};
  if (len == 0) return 0;
  const Ref<File> in = TRY(get_io_file(t, fd_in));
  const Ref<File> out = TRY(get_io_file(t, fd_out));
  if (!in->readable() || !out->writable()) return Error{EBADF};
  Pipe* const from = pipe_of(*in);
  Pipe* const to = pipe_of(*out);
  if (from == nullptr || to == nullptr || from == to) return Error{EINVAL};
  const bool nonblock = (flags & SPLICE_F_NONBLOCK) != 0 || in->nonblocking() || out->nonblocking();
  return static_cast<int64_t>(TRY(tee_pipe(*from, *to, len, nonblock)));
}

SysResult sys_vmsplice(Task& t, int fd, UserPtr<const GuestIovec> iov, unsigned long nr_segs,
                       unsigned flags) {
  if ((flags & ~ALL_FLAGS) != 0) return Error{EINVAL};
  const Ref<File> f = TRY(get_io_file(t, fd));
  if (!f->readable() && !f->writable()) return Error{EBADF};
  const auto segs = TRY(import_iovec(t.mem(), iov, nr_segs));
  IoVec io(&t.mem(), segs);
  if (io.empty()) return 0;
  Pipe* const pipe = pipe_of(*f);
  if (pipe == nullptr) return Error{EBADF};
  const bool nonblock = (flags & SPLICE_F_NONBLOCK) != 0;
  if (!f->writable()) return static_cast<int64_t>(TRY(pipe->read(io, nonblock)));
  // Waits for the first room only, then gives what fits.
  TRY(pipe->wait_room(nonblock));
  return static_cast<int64_t>(TRY(pipe->write(io, true, false)));
}

}  // namespace starry
