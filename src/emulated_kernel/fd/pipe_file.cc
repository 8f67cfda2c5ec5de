// The file side of pipes: ends of pipe(2), opening of FIFOs, sizes.
#include <linux/fs.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <bit>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/fd/locks.h"
#include "emulated_kernel/fd/pipe.h"
#include "emulated_kernel/sync/wait.h"
#include "emulated_kernel/task/task.h"
#include "vfs/inode.h"

namespace starry {

PipeFile::~PipeFile() {
  if (attached_) pipe_->drop_side(readable(), writable());
}

void PipeFile::attach() {
  attached_ = true;
  pipe_->add_side(readable(), writable());
}

Result<void> PipeFile::open_fifo() {
  Pipe& p = *pipe_;
  const auto wait_for_more = [&](uint32_t& opens) {
    return wait_event(p.open_queue, Deadline::never(), [&, before = opens] { return opens != before; });
  };
  if (readable() && writable()) {
    attach();
  } else if (readable()) {
    attach();
    if (p.writers == 0 && nonblocking()) {
      await_writer_ = true;
      seen_writers_ = p.writer_opens;
    } else if (p.writers == 0) {
      TRY(wait_for_more(p.writer_opens));
    }
  } else {
    if (nonblocking() && p.readers == 0) return Error{ENXIO};
    attach();
    if (p.readers == 0) TRY(wait_for_more(p.reader_opens));
  }
  return {};
}

Result<size_t> PipeFile::read(IoVec& to, int64_t* /*pos*/, int flags) {
  return pipe_->read(to, nonblocking() || (flags & RWF_NOWAIT) != 0);
}

Result<size_t> PipeFile::write(IoVec& from, int64_t* /*pos*/, int flags) {
  return pipe_->write(from, nonblocking() || (flags & RWF_NOWAIT) != 0, (flags_ & O_DIRECT) != 0);
}

uint32_t PipeFile::poll() {
  uint32_t events = 0;
  if (readable()) {
    if (!pipe_->empty()) events |= EPOLLIN | EPOLLRDNORM;
    const bool first_writer_pending = await_writer_ && seen_writers_ == pipe_->writer_opens;
    if (pipe_->writers == 0 && !first_writer_pending) events |= EPOLLHUP;
  }
  if (writable()) {
    if (!pipe_->full()) events |= EPOLLOUT | EPOLLWRNORM;
    if (pipe_->readers == 0) events |= EPOLLERR;
  }
  return events;
}

SysResult PipeFile::ioctl(Task& t, unsigned long cmd, uint64_t arg) {
  if (cmd != FIONREAD) return Error{ENOTTY};
  TRY(t.mem().put(UserPtr<int>{arg}, static_cast<int>(pipe_->bytes())));
  return 0;
}

namespace {

// What fstat(2) says of both ends of an anonymous pipe.
struct PipeInode : RefCounted {
  Kstat attr;
  Ref<FileLocks> locks;
};

class AnonPipeEnd final : public PipeFile {
 public:
  AnonPipeEnd(Ref<Pipe> pipe, Ref<PipeInode> inode, int flags)
      : PipeFile(std::move(pipe), flags), inode_(std::move(inode)) {
    attach();
  }
  Result<Kstat> stat() override { return inode_->attr; }
  Result<void> setattr(const SetAttr& a) override {
    apply_setattr(inode_->attr, a);
    return {};
  }
  Ref<FileLocks>& lock_slot() override { return inode_->locks; }
  std::string describe() const override { return "pipe:[" + std::to_string(inode_->attr.ino) + "]"; }
  // open(2) of /proc/PID/fd/N: a new description of the same pipe.
  Result<Ref<File>> reopen(int flags) override { return Ref<File>(new AnonPipeEnd(&pipe(), inode_, flags)); }

 private:
  Ref<PipeInode> inode_;
};

}  // namespace

PipeEnds make_pipe(int flags, uint32_t uid, uint32_t gid) {
  auto inode = make_ref<PipeInode>();
  Kstat& st = inode->attr;
  st.dev = PIPEFS_DEV;
  st.ino = alloc_anon_ino();
  st.mode = S_IFIFO | 0600;
  st.uid = uid;
  st.gid = gid;
  st.atime = st.mtime = st.ctime = realtime_timespec();
  auto pipe = make_ref<Pipe>();
  flags &= O_NONBLOCK | O_DIRECT;
  return {make_ref<AnonPipeEnd>(pipe, inode, O_RDONLY | (flags & O_NONBLOCK)),
          make_ref<AnonPipeEnd>(pipe, inode, O_WRONLY | flags)};
}

Result<int64_t> get_pipe_size(File& f) {
  auto* file = dynamic_cast<PipeFile*>(&f);
  if (file == nullptr) return Error{EBADF};
  return static_cast<int64_t>(file->pipe().capacity());
}

Result<int64_t> set_pipe_size(File& f, uint64_t bytes, bool privileged) {
  auto* file = dynamic_cast<PipeFile*>(&f);
  if (file == nullptr) return Error{EBADF};
  if (bytes > 1U << 31) return Error{EINVAL};
  const size_t size = std::bit_ceil(std::max<uint64_t>(bytes, Pipe::PAGE));
  // Linux lets CAP_SYS_RESOURCE go past the limit; a supervisor's memory needs an end: 16 of them.
  if (size > (privileged ? 16 * Pipe::MAX_SIZE : Pipe::MAX_SIZE)) return Error{EPERM};
  TRY(file->pipe().resize(size / Pipe::PAGE));
  return static_cast<int64_t>(size);
}

}  // namespace starry
