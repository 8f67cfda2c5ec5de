#include "tracer/host_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace starry {

namespace {

template <class T>
Result<T> value_or_errno(int64_t r) {
  if (r < 0) return Error{errno};
  return static_cast<T>(r);
}

Result<void> ok_or_errno(int64_t r) { return r < 0 ? Result<void>(Error{errno}) : Result<void>(); }

// One component, so that the host's own walk has nothing to walk.
bool plain_name(const std::string& n) {
  return !n.empty() && n != ".." && n.find('/') == std::string::npos && n.find('\0') == std::string::npos;
}

// A path that leads to `fd` itself, for calls that have no descriptor form for O_PATH.
std::string fd_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

timespec to_timespec(const statx_timestamp& t) { return {t.tv_sec, static_cast<long>(t.tv_nsec)}; }

Kstat to_kstat(const struct statx& x) {
  Kstat k;
  k.dev = makedev(x.stx_dev_major, x.stx_dev_minor);
  k.ino = x.stx_ino;
  k.rdev = makedev(x.stx_rdev_major, x.stx_rdev_minor);
  k.mode = x.stx_mode;
  k.nlink = x.stx_nlink;
  k.uid = x.stx_uid;
  k.gid = x.stx_gid;
  k.size = x.stx_size;
  k.blocks = x.stx_blocks;
  k.blksize = x.stx_blksize;
  k.atime = to_timespec(x.stx_atime);
  k.mtime = to_timespec(x.stx_mtime);
  k.ctime = to_timespec(x.stx_ctime);
  k.btime = (x.stx_mask & STATX_BTIME) ? to_timespec(x.stx_btime) : k.ctime;
  return k;
}

class RealHostFiles final : public HostFiles {
 public:
  std::pair<uint32_t, uint32_t> owner() override { return {geteuid(), getegid()}; }

  Result<int> open_root(const std::string& path, bool directory) override {
    int flags = directory ? O_PATH | O_DIRECTORY : O_PATH;
    return value_or_errno<int>(::open(path.c_str(), flags | O_CLOEXEC));
  }

  Result<int> open(int dir, const std::string& name, int flags, uint32_t mode) override {
    if (!plain_name(name)) return Error{EINVAL};
    flags |= O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
    if (!(flags & O_PATH)) flags |= O_NONBLOCK;  // a FIFO that slipped in must not stop us
    int fd = openat(dir, name.c_str(), flags, mode);
    if (fd < 0) return Error{errno};
    if (flags & (O_PATH | O_DIRECTORY)) return fd;
    struct stat st;
    if (fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
      ::close(fd);
      return Error{ENXIO};
    }
    return fd;
  }

  void close(int fd) override { ::close(fd); }

  Result<size_t> pread(int fd, void* buf, size_t n, uint64_t offset) override {
    return value_or_errno<size_t>(retry([&] { return ::pread(fd, buf, n, static_cast<off_t>(offset)); }));
  }
  Result<size_t> pwrite(int fd, const void* buf, size_t n, uint64_t offset) override {
    return value_or_errno<size_t>(retry([&] { return ::pwrite(fd, buf, n, static_cast<off_t>(offset)); }));
  }
  Result<size_t> append(int fd, const void* buf, size_t n) override {
    iovec v{const_cast<void*>(buf), n};
    return value_or_errno<size_t>(retry([&] { return pwritev2(fd, &v, 1, 0, RWF_APPEND); }));
  }
  Result<int64_t> seek(int fd, int64_t offset, int whence) override {
    return value_or_errno<int64_t>(lseek(fd, offset, whence));
  }
  Result<void> truncate(int fd, uint64_t size) override {
    return ok_or_errno(ftruncate(fd, static_cast<off_t>(size)));
  }
  Result<void> fallocate(int fd, int mode, int64_t offset, int64_t len) override {
    return ok_or_errno(retry([&] { return ::fallocate(fd, mode, offset, len); }));
  }
  Result<void> sync(int fd, bool data_only) override {
    return ok_or_errno(data_only ? fdatasync(fd) : fsync(fd));
  }
  Result<void> syncfs(int fd) override {
    // An O_PATH descriptor does not do.
    int real = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (real < 0) return Error{errno};
    Result<void> r = ok_or_errno(::syncfs(real));
    ::close(real);
    return r;
  }

  Result<uint64_t> copy(int from, uint64_t from_off, int to, uint64_t to_off, uint64_t n) override {
    auto in = static_cast<off64_t>(from_off), out = static_cast<off64_t>(to_off);
    uint64_t done = 0;
    while (done < n) {
      size_t want = std::min<uint64_t>(n - done, 1 << 30);
      ssize_t r = copy_file_range(from, &in, to, &out, want, 0);
      if (r == 0) return done;
      if (r < 0) {
        if (errno == EINTR) continue;
        bool unsupported =
            errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM;
        if (!unsupported || done != 0) return Error{errno};
        return copy_by_hand(from, from_off, to, to_off, n);
      }
      done += static_cast<uint64_t>(r);
    }
    return done;
  }

  Result<Kstat> stat(int fd, const std::string& name) override {
    struct statx x;
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name.empty() ? AT_EMPTY_PATH : 0);
    if (statx(fd, name.c_str(), flags, STATX_BASIC_STATS | STATX_BTIME, &x) != 0) return Error{errno};
    return to_kstat(x);
  }
  Result<struct statfs> statfs(int fd) override {
    struct statfs s;
    if (fstatfs(fd, &s) != 0) return Error{errno};
    return s;
  }
  Result<std::string> readlink(int dir, const std::string& name) override {
    std::string text(4096, '\0');
    ssize_t n = readlinkat(dir, name.c_str(), text.data(), text.size());
    if (n < 0) return Error{errno};
    text.resize(static_cast<size_t>(n));
    return text;
  }
  Result<std::vector<HostDirEntry>> list(int dir) override {
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return Error{errno};
    DIR* d = fdopendir(fd);
    if (d == nullptr) {
      ::close(fd);
      return Error{ENOMEM};
    }
    std::vector<HostDirEntry> out;
    while (dirent* e = readdir(d)) {
      std::string_view n = e->d_name;
      if (n != "." && n != "..") out.push_back({std::string(n), e->d_ino, e->d_type});
    }
    closedir(d);
    return out;
  }

  Result<void> mkdir(int dir, const std::string& name, uint32_t mode) override {
    if (!plain_name(name)) return Error{EINVAL};
    return ok_or_errno(mkdirat(dir, name.c_str(), mode));
  }
  Result<void> symlink(const std::string& target, int dir, const std::string& name) override {
    if (!plain_name(name)) return Error{EINVAL};
    return ok_or_errno(symlinkat(target.c_str(), dir, name.c_str()));
  }
  Result<void> link(int old_dir, const std::string& old_name, int dir, const std::string& name) override {
    if (!plain_name(name) || !plain_name(old_name)) return Error{EINVAL};
    return ok_or_errno(linkat(old_dir, old_name.c_str(), dir, name.c_str(), 0));
  }
  Result<void> link_fd(int fd, int dir, const std::string& name) override {
    if (!plain_name(name)) return Error{EINVAL};
    return ok_or_errno(linkat(AT_FDCWD, fd_path(fd).c_str(), dir, name.c_str(), AT_SYMLINK_FOLLOW));
  }
  Result<void> unlink(int dir, const std::string& name) override {
    if (!plain_name(name)) return Error{EINVAL};
    return ok_or_errno(unlinkat(dir, name.c_str(), 0));
  }
  Result<void> rmdir(int dir, const std::string& name) override {
    if (!plain_name(name)) return Error{EINVAL};
    return ok_or_errno(unlinkat(dir, name.c_str(), AT_REMOVEDIR));
  }
  Result<void> rename(int old_dir, const std::string& old_name, int dir, const std::string& name,
                      unsigned flags) override {
    if (!plain_name(name) || !plain_name(old_name)) return Error{EINVAL};
    return ok_or_errno(renameat2(old_dir, old_name.c_str(), dir, name.c_str(), flags));
  }

  Result<void> chmod(int fd, const std::string& name, uint32_t mode) override {
    if (name.empty()) return ok_or_errno(::chmod(fd_path(fd).c_str(), mode));
    int node = openat(fd, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (node < 0) return Error{errno};
    Result<void> r = ok_or_errno(::chmod(fd_path(node).c_str(), mode));
    ::close(node);
    return r;
  }
  Result<void> chown(int fd, const std::string& name, uint32_t uid, uint32_t gid) override {
    int flags = AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0);
    return ok_or_errno(fchownat(fd, name.c_str(), uid, gid, flags));
  }
  Result<void> utimens(int fd, const std::string& name, const timespec times[2]) override {
    if (name.empty()) return ok_or_errno(utimensat(AT_FDCWD, fd_path(fd).c_str(), times, 0));
    return ok_or_errno(utimensat(fd, name.c_str(), times, AT_SYMLINK_NOFOLLOW));
  }

  Result<std::string> getxattr(int fd, const std::string& attr) override {
    std::string value(65536, '\0');
    ssize_t n = ::getxattr(fd_path(fd).c_str(), attr.c_str(), value.data(), value.size());
    if (n < 0) return Error{errno};
    value.resize(static_cast<size_t>(n));
    return value;
  }
  Result<void> setxattr(int fd, const std::string& attr, std::string_view value, int flags) override {
    return ok_or_errno(::setxattr(fd_path(fd).c_str(), attr.c_str(), value.data(), value.size(), flags));
  }
  Result<void> removexattr(int fd, const std::string& attr) override {
    return ok_or_errno(::removexattr(fd_path(fd).c_str(), attr.c_str()));
  }
  Result<std::vector<std::string>> listxattr(int fd) override {
    std::string names(65536, '\0');
    ssize_t n = ::listxattr(fd_path(fd).c_str(), names.data(), names.size());
    if (n < 0) return Error{errno};
    std::vector<std::string> out;
    for (size_t at = 0; at < static_cast<size_t>(n); at += out.back().size() + 1)
      out.emplace_back(names.c_str() + at);
    return out;
  }

  Result<int> memfd(const std::string& name) override {
    return value_or_errno<int>(memfd_create(name.c_str(), MFD_CLOEXEC));
  }

 private:
  template <class Fn>
  static int64_t retry(Fn fn) {
    int64_t r;
    do r = fn();
    while (r < 0 && errno == EINTR);
    return r;
  }

  Result<uint64_t> copy_by_hand(int from, uint64_t from_off, int to, uint64_t to_off, uint64_t n) {
    constexpr size_t CHUNK = 1 << 20;
    auto buf = std::make_unique_for_overwrite<char[]>(CHUNK);
    uint64_t done = 0;
    while (done < n) {
      size_t got = TRY(pread(from, buf.get(), std::min<uint64_t>(CHUNK, n - done), from_off + done));
      if (got == 0) break;
      for (size_t put = 0; put < got;)
        put += TRY(pwrite(to, buf.get() + put, got - put, to_off + done + put));
      done += got;
    }
    return done;
  }
};

}  // namespace

void install_host_files() {
  static RealHostFiles files;
  set_host_files(&files);
}

}  // namespace starry
