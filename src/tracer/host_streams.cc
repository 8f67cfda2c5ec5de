#include "tracer/host_streams.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <memory>

#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/sync/wait.h"
#include "emulated_kernel/task/task.h"

namespace starry {
namespace {

constexpr size_t CHUNK = 65536;
constexpr int GUEST_FLAGS = O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DIRECT | O_LARGEFILE;

// The bits of poll(2) that always come together.
uint32_t with_band(uint32_t events) {
  if ((events & EPOLLIN) != 0) events |= EPOLLRDNORM;
  if ((events & EPOLLOUT) != 0) events |= EPOLLWRNORM;
  return events;
}

}  // namespace

HostStream::HostStream(HostPoller& poller, StreamFd fd)
    : File(fd.flags() & GUEST_FLAGS), poller_(poller), fd_(std::move(fd)) {
  watch_ = !fd_.can_wait() ? 0 : poller_.add(fd_.get(), [this](uint32_t events) {
    seen_ |= events;
    queue_.wake_all(with_band(events));
  });
}

HostStream::~HostStream() {
  if (watch_ != 0) poller_.remove(watch_);
}

Result<void> HostStream::wait_for(uint32_t events) {
  seen_ &= ~events;
  poller_.arm(watch_, events);
  return wait_event(queue_, Deadline::never(), [&] { return (seen_ & events) != 0; });
}

Result<size_t> HostStream::read(IoVec& to, int64_t* at, int flags) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(std::min(CHUNK, to.remaining()));
  const bool own_position = at == nullptr || at == &pos;
  size_t total = 0;
  while (!to.empty()) {
    const size_t want = std::min(CHUNK, to.remaining());
    Result<size_t> got = 0;
    if (own_position) {
      got = fd_.read(buffer.get(), want);
    } else {
      const ssize_t r = pread(fd_.get(), buffer.get(), want, *at);
      got = r < 0 ? Result<size_t>(Error{errno}) : static_cast<size_t>(r);
    }
    if (!got) {
      if (total != 0) return total;
      if (got.code() != EAGAIN || watch_ == 0) return got.error();
      poller_.arm(watch_, EPOLLIN);  // whoever polls wants to hear of what comes next
      if (nonblocking() || (flags & RWF_NOWAIT) != 0) return Error{EAGAIN};
      TRY(wait_for(EPOLLIN));
      continue;
    }
    const size_t n = got.value();
    if (n == 0) break;
    const Result<size_t> copied = to.copy_out(buffer.get(), n);
    if (!copied) return total != 0 ? Result<size_t>(total) : copied.error();
    if (!own_position) *at += static_cast<int64_t>(n);
    total += n;
    if (n < want || watch_ != 0) break;  // a stream gives what it has
  }
  return total;
}

Result<size_t> HostStream::write(IoVec& from, int64_t* at, int flags) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(std::min(CHUNK, from.remaining()));
  const bool own_position = at == nullptr || at == &pos;
  const bool append = watch_ == 0 && (this->flags() & O_APPEND) != 0;
  size_t total = 0;
  while (!from.empty()) {
    const Result<size_t> have = from.peek_in(buffer.get(), std::min(CHUNK, from.remaining()));
    if (!have) return total != 0 ? Result<size_t>(total) : have.error();
    Result<size_t> put = 0;
    if (own_position) {
      put = fd_.write(buffer.get(), have.value(), append);
    } else {
      const ssize_t r = pwrite(fd_.get(), buffer.get(), have.value(), *at);
      put = r < 0 ? Result<size_t>(Error{errno}) : static_cast<size_t>(r);
    }
    if (put) {
      from.advance(put.value());
      total += put.value();
      if (!own_position) *at += static_cast<int64_t>(put.value());
      continue;
    }
    if (put.code() == EPIPE && total == 0) (void)send_signal(current(), siginfo_user(SIGPIPE, current()));
    if (put.code() != EAGAIN || watch_ == 0) return total != 0 ? Result<size_t>(total) : put.error();
    poller_.arm(watch_, EPOLLOUT);
    if (nonblocking() || (flags & RWF_NOWAIT) != 0) return total != 0 ? Result<size_t>(total) : put.error();
    if (const Result<void> waited = wait_for(EPOLLOUT); !waited)
      return total != 0 ? Result<size_t>(total) : waited.error();
  }
  return total;
}

Result<int64_t> HostStream::seek(int64_t offset, int whence) {
  const off_t r = lseek(fd_.get(), offset, whence);
  if (r < 0) return Error{errno};
  return r;
}

uint32_t HostStream::poll() {
  const uint32_t events = fd_.ready();
  if (watch_ != 0) poller_.arm(watch_, (EPOLLIN | EPOLLOUT) & ~events);
  return with_band(events);
}

SysResult HostStream::ioctl(Task& t, unsigned long cmd, uint64_t arg) {
  if (cmd != FIONREAD) return Error{ENOTTY};
  int n = 0;
  if (::ioctl(fd_.get(), FIONREAD, &n) != 0) return Error{errno};
  TRY(t.mem().put(UserPtr<int>{arg}, n));
  return 0;
}

Result<Kstat> HostStream::stat() {
  struct stat st {};
  if (fstat(fd_.get(), &st) != 0) return Error{errno};
  Kstat k;
  k.dev = st.st_dev;
  k.ino = st.st_ino;
  k.rdev = st.st_rdev;
  k.mode = st.st_mode;
  k.nlink = static_cast<uint32_t>(st.st_nlink);
  k.uid = st.st_uid;
  k.gid = st.st_gid;
  k.size = static_cast<uint64_t>(st.st_size);
  k.blocks = static_cast<uint64_t>(st.st_blocks);
  k.blksize = static_cast<uint32_t>(st.st_blksize);
  k.atime = st.st_atim;
  k.mtime = st.st_mtim;
  k.ctime = st.st_ctim;
  return k;
}

Result<MapBacking> HostStream::map_backing(bool shared, int prot) {
  struct stat st {};
  if (fstat(fd_.get(), &st) != 0) return Error{errno};
  if (!S_ISREG(st.st_mode)) return Error{ENODEV};
  if (!readable() || (shared && (prot & PROT_WRITE) != 0 && !writable())) return Error{EACCES};
  return MapBacking{.host_fd = fd_.get()};
}

Result<void> HostStream::truncate(int64_t size) {
  if (ftruncate(fd_.get(), size) != 0) return Error{errno};
  return {};
}

Result<void> HostStream::fsync(bool data_only) {
  if ((data_only ? fdatasync(fd_.get()) : ::fsync(fd_.get())) != 0) return Error{errno};
  return {};
}

Result<Ref<File>> HostStream::reopen(int flags) {
  return Ref<File>(make_ref<HostStream>(poller_, TRY(fd_.reopen(flags & (GUEST_FLAGS | O_TRUNC)))));
}

std::string HostStream::describe() const {
  char text[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd_.get());
  const ssize_t n = readlink(link.c_str(), text, sizeof text);
  return n > 0 ? std::string(text, static_cast<size_t>(n)) : "anon_inode:[host]";
}

Result<Ref<File>> host_stream(HostPoller& poller, int fd) {
  return Ref<File>(make_ref<HostStream>(poller, TRY(StreamFd::from(fd))));
}

}  // namespace starry
