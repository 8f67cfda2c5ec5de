// An open directory. The entries are taken when it is read from its beginning, so offsets (telldir)
// stay valid until it is rewound; entries made or removed meanwhile may or may not show, as POSIX has it.
#pragma once

#include <vector>

#include "emulated_kernel/fd/file.h"
#include "vfs/inode.h"
#include "vfs/path.h"

namespace starry {

class DirFile final : public File {
 public:
  DirFile(const Path& where, int flags);
  ~DirFile() override;
  Result<size_t> read(IoVec&, int64_t*, int) override { return Error{EISDIR}; }
  Result<int64_t> seek(int64_t offset, int whence) override;
  Result<Kstat> stat() override;
  Result<void> read_dir(DirSink& sink) override;
  Result<void> fsync(bool) override { return {}; }
  uint32_t poll() override;
  Ref<FileLocks>& lock_slot() override;

 private:
  Inode& inode() const;
  std::vector<DirEntry> entries_;
  bool listed_ = false;
};

// An O_PATH descriptor: names a place, cannot be read or written (open(2)).
class PathFile final : public File {
 public:
  PathFile(const Path& where, int flags);
  ~PathFile() override;
  Result<size_t> read(IoVec&, int64_t*, int) override { return Error{EBADF}; }
  Result<size_t> write(IoVec&, int64_t*, int) override { return Error{EBADF}; }
  Result<int64_t> seek(int64_t, int) override { return Error{EBADF}; }
  SysResult ioctl(Task&, unsigned long, uint64_t) override { return Error{EBADF}; }
  Result<Kstat> stat() override;
  Result<MapBacking> map_backing(bool, int) override { return Error{EBADF}; }
  Result<void> truncate(int64_t) override { return Error{EBADF}; }
  Result<void> fsync(bool) override { return Error{EBADF}; }
  Result<void> fallocate(int, int64_t, int64_t) override { return Error{EBADF}; }
  Result<void> read_dir(DirSink&) override { return Error{EBADF}; }
};

}  // namespace starry
