// Directories as such: getdents, and the root, working directory and umask of a process.
#include <dirent.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/dir_sink.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/syscalls/path_arg.h"
#include "vfs/fs_context.h"
#include "vfs/permission.h"

namespace starry {

namespace {

// Packs entries into the buffer of getdents64(2), or of the old getdents(2) whose type byte is the last
// of the record.
class DirentBuffer final : public DirSink {
 public:
  DirentBuffer(size_t size, bool old_form) : old_(old_form), limit_(size) {}

  bool add(std::string_view name, uint64_t ino, int64_t next_offset, uint8_t type) override {
    const size_t header = old_ ? 18 : 19;
    // name, NUL, and in the old form the type byte; records are aligned to 8
    size_t len = (header + name.size() + 1 + (old_ ? 1 : 0) + 7) & ~size_t{7};
    if (len > limit_ - bytes_.size()) {
      full_ = true;
      return false;
    }
    size_t at = bytes_.size();
    bytes_.resize(at + len);
    auto reclen = static_cast<uint16_t>(len);
    std::memcpy(&bytes_[at], &ino, 8);
    std::memcpy(&bytes_[at + 8], &next_offset, 8);
    std::memcpy(&bytes_[at + 16], &reclen, 2);
    std::memcpy(&bytes_[at + header], name.data(), name.size());
    bytes_[old_ ? at + len - 1 : at + 18] = type;
    return true;
  }

  const std::vector<uint8_t>& bytes() const { return bytes_; }
  bool full() const { return full_; }

 private:
  bool old_, full_ = false;
  size_t limit_;
  std::vector<uint8_t> bytes_;
};

SysResult read_entries(Task& t, int fd, UserPtr<void> dirp, unsigned count, bool old_form) {
  constexpr unsigned BATCH = 256 * 1024;  // the most that one call returns
  Ref<File> f = TRY(get_io_file(t, fd));
  DirentBuffer buf(std::min(count, BATCH), old_form);
  const int64_t before = f->pos;
  TRY(f->read_dir(buf));
  if (buf.bytes().empty() && buf.full()) return Error{EINVAL};
  if (Result<void> r = t.mem().write(dirp.addr, buf.bytes().data(), buf.bytes().size()); !r.ok()) {
    f->pos = before;
    return r.error();
  }
  return static_cast<int64_t>(buf.bytes().size());
}

Result<void> enter(Task& t, const Path& p) {
  TRY(p.dentry->inode()->permission(*t.cred, MAY_EXEC));
  t.fs->cwd = p;
  return {};
}

}  // namespace

SysResult sys_getdents(Task& t, int fd, UserPtr<void> dirp, unsigned count) {
  return read_entries(t, fd, dirp, count, true);
}

SysResult sys_getdents64(Task& t, int fd, UserPtr<void> dirp, unsigned count) {
  return read_entries(t, fd, dirp, count, false);
}

SysResult sys_getcwd(Task& t, UserPtr<char> buf, size_t size) {
  if (t.fs->cwd.dentry->deleted()) return Error{ENOENT};
  std::string name = vfs_path_name(t.fs->cwd, t.fs->root);
  if (name.size() + 1 > PATH_LEN_MAX) return Error{ENAMETOOLONG};
  if (size < name.size() + 1) return Error{ERANGE};
  TRY(t.mem().write(buf.addr, name.c_str(), name.size() + 1));
  return static_cast<int64_t>(name.size() + 1);
}

SysResult sys_chdir(Task& t, UserPtr<const char> path) {
  Path p = TRY(path_of(t, AT_FDCWD, path, WALK_FOLLOW | WALK_DIRECTORY));
  TRY(enter(t, p));
  return 0;
}

SysResult sys_fchdir(Task& t, int fd) {
  Ref<File> f = TRY(get_file(t, fd));
  if (!f->path || !f->path->dentry->inode()->is_dir()) return Error{ENOTDIR};
  TRY(enter(t, *f->path));
  return 0;
}

SysResult sys_chroot(Task& t, UserPtr<const char> path) {
  Path p = TRY(path_of(t, AT_FDCWD, path, WALK_FOLLOW | WALK_DIRECTORY));
  TRY(p.dentry->inode()->permission(*t.cred, MAY_EXEC));
  if (!t.cred->capable_here(CAP_NR_SYS_CHROOT)) return Error{EPERM};
  t.fs->root = p;
  return 0;
}

SysResult sys_umask(Task& t, uint32_t mask) {
  const uint32_t old = t.fs->umask;
  t.fs->umask = mask & 0777;
  return static_cast<int64_t>(old);
}

}  // namespace starry
