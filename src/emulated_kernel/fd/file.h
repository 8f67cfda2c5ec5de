// An open file description (struct file): what dup() and fork() share. Everything a descriptor can
// refer to derives from it: regular files, directories, pipes, sockets, epolls, ttys.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/result.h"
#include "emulated_kernel/base/user_ptr.h"
#include "emulated_kernel/fd/file_attachments.h"
#include "emulated_kernel/sync/wait_queue.h"

namespace starry {

// An iterator over the buffers of one read or write (struct iov_iter): guest memory or kernel memory,
// contiguous or scattered. Copies advance it. A partial copy happens when guest memory faults midway.
class IoVec {
 public:
  struct Segment {
    uint64_t base;  // guest address, or kernel pointer when memory() is null
    size_t len;
  };
  static IoVec kernel(void* p, size_t n) { return IoVec(nullptr, {reinterpret_cast<uint64_t>(p), n}); }
  static IoVec user(UserMemory& m, UserAddr a, size_t n) { return IoVec(&m, {a, n}); }
  // `segs` must outlive the IoVec. Total length must have been checked (<= MAX_RW_COUNT).
  IoVec(UserMemory* m, std::span<const Segment> segs);
  IoVec(UserMemory* m, Segment one);

  size_t remaining() const { return remaining_; }
  bool empty() const { return remaining_ == 0; }
  bool is_user() const { return mem_ != nullptr; }
  // Copies up to n bytes to / from the buffers. Returns bytes copied; EFAULT if the first faults.
  Result<size_t> copy_out(const void* src, size_t n);  // kernel -> caller (read)
  Result<size_t> copy_in(void* dst, size_t n);         // caller -> kernel (write)
  // Looks at the next bytes without advancing (atomic datagrams, MSG_PEEK-like uses).
  Result<size_t> peek_in(void* dst, size_t n) const;
  void advance(size_t n);
  void truncate(size_t n);  // remaining() becomes at most n
  // The first segment not used up: for zero-copy paths and pread straight into kernel memory.
  Segment front() const;
  UserMemory* memory() const { return mem_; }
  // Kernel memory that stands for the next n bytes, if there is any (UserMemory::room, view): advance(n)
  // after putting n bytes into `room` or using `view`.
  std::span<uint8_t> room(size_t n) const;
  std::span<const uint8_t> view(size_t n) const;
  void filled(size_t n);  // n bytes of what room() returned; advances

 private:
  UserMemory* mem_;
  Segment one_{};
  std::span<const Segment> segs_;
  size_t index_ = 0, offset_ = 0, remaining_ = 0;
};

// stat(2) as the kernel keeps it (struct kstat).
struct Kstat {
  uint64_t dev = 0, ino = 0, rdev = 0;
  uint32_t mode = 0, nlink = 1, uid = 0, gid = 0;
  uint64_t size = 0, blocks = 0;
  uint32_t blksize = 4096;
  timespec atime{}, mtime{}, ctime{}, btime{};
};

// What mmap needs of a file: a host descriptor whose pages are the file's pages. host_fd is borrowed
// from the File, which the mapping keeps alive.
struct MapBacking {
  int host_fd = -1;  // -1: anonymous zero pages (/dev/zero)
  uint64_t offset_delta = 0;
};

struct SetAttr;  // vfs/inode.h
class DirSink;   // receives directory entries, see fd/dir_sink.h
struct Path;     // vfs/path.h
class Task;

class File : public RefCounted {
 public:
  explicit File(int flags) : flags_(flags & ~O_NOCTTY) {}
  ~File() override = default;

  // `pos`: where to read; advanced by the callee; nullptr means "not seekable, no position". flags: RWF_*.
  // Must honour nonblocking(). 0 = end of file. Blocking calls return ERESTARTSYS when a signal is pending.
  virtual Result<size_t> read(IoVec& /*to*/, int64_t* /*pos*/, int /*flags*/) { return Error{EINVAL}; }
  virtual Result<size_t> write(IoVec& /*from*/, int64_t* /*pos*/, int /*flags*/) { return Error{EINVAL}; }
  // Whether there is reading, or writing, at all (FMODE_CAN_READ, FMODE_CAN_WRITE): readv and writev ask
  // before they look at lengths.
  virtual bool can_read() const { return true; }
  virtual bool can_write() const { return true; }
  virtual Result<int64_t> seek(int64_t /*offset*/, int /*whence*/) { return Error{ESPIPE}; }
  // Whether pread(2) and its relatives may name a position (FMODE_PREAD).
  virtual bool seekable() { return seek(0, SEEK_CUR).code() != ESPIPE; }
  // Readiness now (EPOLLIN | EPOLLOUT | ...). Files without it are always ready.
  virtual uint32_t poll();
  // Woken (with EPOLL* bits) whenever poll() may have changed. nullptr: never changes (not pollable
  // by epoll: EPERM for regular files and directories).
  virtual WaitQueue* poll_queue() { return nullptr; }
  virtual SysResult ioctl(Task& /*t*/, unsigned long /*cmd*/, uint64_t /*arg*/) { return Error{ENOTTY}; }
  virtual Result<Kstat> stat() { return Error{EBADF}; }
  // fchmod(2) and the like of what no file system knows.
  virtual Result<void> setattr(const SetAttr& /*a*/) { return Error{EPERM}; }
  virtual Result<MapBacking> map_backing(bool /*shared*/, int /*prot*/) { return Error{ENODEV}; }
  // Mappings of it are hidden from all but those who made them (mm/secretmem.h).
  virtual bool secret() const { return false; }
  virtual Result<void> truncate(int64_t /*size*/) { return Error{EINVAL}; }
  virtual Result<void> fsync(bool /*data_only*/) { return Error{EINVAL}; }
  virtual Result<void> fallocate(int /*mode*/, int64_t /*off*/, int64_t /*len*/) { return Error{ENODEV}; }
  virtual Result<void> read_dir(DirSink&) { return Error{ENOTDIR}; }
  // close(2) by one process: POSIX locks and flush errors. Then the last reference runs ~File.
  virtual Result<void> flush(Task& /*t*/) { return {}; }
  // Where the inode keeps its advisory locks (fd/locks.h fills the slot on first use).
  virtual Ref<FileLocks>& lock_slot() { return attached.private_lock_slot; }
  // F_GET_SEALS and F_ADD_SEALS (memfd_create(2)).
  virtual Result<int> seals() { return Error{EINVAL}; }
  virtual Result<void> add_seals(int /*seals*/) { return Error{EINVAL}; }
  // FIOASYNC, F_SETFL hooks.
  virtual Result<void> set_status_flags(int flags);
  // Text behind /proc/self/fd/N and strace -y: "/etc/passwd", "pipe:[123]", "socket:[45]",
  // "anon_inode:[eventpoll]".
  virtual std::string describe() const { return "anon_inode:[file]"; }
  virtual std::string fdinfo() const { return {}; }  // extra lines of /proc/self/fdinfo/N

  // Opening /proc/self/fd/N of a file that has no path: pipes and terminals make a new description.
  virtual Result<Ref<File>> reopen(int /*flags*/) { return Error{ENXIO}; }

  int flags() const { return flags_; }  // O_ACCMODE | O_NONBLOCK | O_APPEND | ... (no O_CLOEXEC)
  bool nonblocking() const;
  bool readable() const;
  bool writable() const;

  // The file position and its owner: seekable files share it between dup'ed descriptors.
  int64_t pos = 0;
  // Where it was opened (f_path); null for pipes, sockets, eventfds, ... Set by the VFS.
  std::shared_ptr<const Path> path;
  FileAttachments attached;

 protected:
  int flags_;
};

}  // namespace starry
