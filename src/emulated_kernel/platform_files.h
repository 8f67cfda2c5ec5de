// Host files as the kernel library sees them: the backing store of overlay, host directories, tmpfs and
// memfds. Implemented by src/tracer/host_files.cc with real system calls.
//
// Descriptors are host descriptors (close-on-exec). A name is always ONE component, and never followed
// if it is a symbolic link: walking is the VFS's job, so no race on the host can lead a walk elsewhere.
// Nothing here blocks except on the host's disk. Errors are errno values.
#pragma once

#include <sys/stat.h>
#include <sys/statfs.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/fd/file.h"

namespace starry {

struct HostDirEntry {
  std::string name;
  uint64_t ino;
  uint8_t type;  // DT_*
};

class HostFiles {
 public:
  virtual ~HostFiles() = default;

  // The user the supervisor runs as: what it creates belongs to them.
  virtual std::pair<uint32_t, uint32_t> owner() = 0;

  // A directory or file named by the user on the command line: links are followed.
  virtual Result<int> open_root(const std::string& path, bool directory) = 0;
  // flags: O_ACCMODE, O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_PATH, O_TMPFILE. Devices and FIFOs are
  // never opened (ENXIO). `name` may be "." for the directory itself.
  virtual Result<int> open(int dir, const std::string& name, int flags, uint32_t mode = 0) = 0;
  virtual void close(int fd) = 0;

  virtual Result<size_t> pread(int fd, void* buf, size_t n, uint64_t offset) = 0;
  virtual Result<size_t> pwrite(int fd, const void* buf, size_t n, uint64_t offset) = 0;
  // Atomically at the end of the file.
  virtual Result<size_t> append(int fd, const void* buf, size_t n) = 0;
  virtual Result<int64_t> seek(int fd, int64_t offset, int whence) = 0;  // SEEK_DATA, SEEK_HOLE, SEEK_END
  virtual Result<void> truncate(int fd, uint64_t size) = 0;
  virtual Result<void> fallocate(int fd, int mode, int64_t offset, int64_t len) = 0;
  virtual Result<void> sync(int fd, bool data_only) = 0;
  virtual Result<void> syncfs(int fd) = 0;
  // Copies until end of file or `n` bytes, sharing blocks where the host can.
  virtual Result<uint64_t> copy(int from, uint64_t from_off, int to, uint64_t to_off, uint64_t n) = 0;

  // Attributes of dir/name, or of `fd` itself if name is empty. dev and ino are the host's.
  virtual Result<Kstat> stat(int fd, const std::string& name = {}) = 0;
  virtual Result<struct statfs> statfs(int fd) = 0;
  virtual Result<std::string> readlink(int dir, const std::string& name) = 0;
  virtual Result<std::vector<HostDirEntry>> list(int dir) = 0;  // without "." and ".."

  virtual Result<void> mkdir(int dir, const std::string& name, uint32_t mode) = 0;
  virtual Result<void> symlink(const std::string& target, int dir, const std::string& name) = 0;
  virtual Result<void> link(int old_dir, const std::string& old_name, int dir, const std::string& name) = 0;
  virtual Result<void> link_fd(int fd, int dir, const std::string& name) = 0;  // gives an O_TMPFILE a name
  virtual Result<void> unlink(int dir, const std::string& name) = 0;
  virtual Result<void> rmdir(int dir, const std::string& name) = 0;
  // flags: RENAME_EXCHANGE, RENAME_NOREPLACE or 0
  virtual Result<void> rename(int old_dir, const std::string& old_name, int dir, const std::string& name,
                              unsigned flags) = 0;

  // dir/name, or `fd` itself if name is empty.
  virtual Result<void> chmod(int fd, const std::string& name, uint32_t mode) = 0;
  virtual Result<void> chown(int fd, const std::string& name, uint32_t uid, uint32_t gid) = 0;
  virtual Result<void> utimens(int fd, const std::string& name, const timespec times[2]) = 0;

  virtual Result<std::string> getxattr(int fd, const std::string& attr) = 0;
  virtual Result<void> setxattr(int fd, const std::string& attr, std::string_view value, int flags) = 0;
  virtual Result<void> removexattr(int fd, const std::string& attr) = 0;
  virtual Result<std::vector<std::string>> listxattr(int fd) = 0;

  // Memory that can be mapped: the data of tmpfs files and memfds.
  virtual Result<int> memfd(const std::string& name) = 0;
};

HostFiles& host_files();
void set_host_files(HostFiles* h);

// A host descriptor that closes itself.
class HostFd {
 public:
  HostFd() = default;
  explicit HostFd(int fd) : fd_(fd) {}
  HostFd(HostFd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  HostFd& operator=(HostFd&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~HostFd() {
    if (fd_ >= 0) host_files().close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace starry
