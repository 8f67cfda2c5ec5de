#include "vfs/inode.h"

#include <linux/magic.h>

#include <sys/sysmacros.h>

#include <algorithm>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/fd/locks.h"
#include "emulated_kernel/platform.h"
#include "vfs/dir_file.h"
#include "vfs/permission.h"
#include "vfs/special.h"

namespace starry {

namespace {

// Minor numbers of anonymous devices (major 0), as st_dev shows them.
uint64_t alloc_anon_dev() {
  static unsigned last = 20;
  return makedev(0, ++last);
}

std::vector<FileSystemType>& registry() {
  static std::vector<FileSystemType> types;
  return types;
}

}  // namespace

SuperBlock::SuperBlock(std::string fs_name, uint64_t magic)
    : magic_(magic), fs_name_(std::move(fs_name)), dev_(alloc_anon_dev()) {
  // proc_fill_super(), devpts_fill_super(): s_blocksize = 1024.
  if (magic == PROC_SUPER_MAGIC || magic == DEVPTS_SUPER_MAGIC) block_size_ = 1024;
}

Result<struct statfs> SuperBlock::statfs() {
  struct statfs s = {};
  s.f_type = static_cast<__fsword_t>(magic_);
  s.f_bsize = s.f_frsize = 4096;
  s.f_namelen = 255;
  return s;
}

Inode::Inode(Ref<SuperBlock> sb, uint32_t mode, uint64_t ino) : sb_(std::move(sb)) {
  attr.dev = sb_->dev();
  attr.blksize = sb_->block_size();
  attr.ino = ino != 0 ? ino : sb_->next_ino();
  attr.mode = mode;
  attr.nlink = S_ISDIR(mode) ? 2 : 1;
  attr.atime = attr.mtime = attr.ctime = attr.btime = now();
  attr.uid = attr.gid = 0;
}

Inode::~Inode() = default;

timespec Inode::now() { return realtime_timespec(); }

void Inode::touch_mtime() { attr.mtime = attr.ctime = now(); }

void Inode::apply_attr(const SetAttr& a) { apply_setattr(attr, a); }

void apply_setattr(Kstat& attr, const SetAttr& a) {
  if (a.valid & SetAttr::MODE) attr.mode = (attr.mode & S_IFMT) | (a.mode & 07777);
  if (a.valid & SetAttr::UID) attr.uid = a.uid;
  if (a.valid & SetAttr::GID) attr.gid = a.gid;
  if (a.valid & SetAttr::ATIME) attr.atime = a.atime;
  if (a.valid & SetAttr::MTIME) attr.mtime = a.mtime;
  attr.ctime = realtime_timespec();
}

Result<void> Inode::setattr(const SetAttr&) { return Error{EPERM}; }

Result<void> Inode::permission(const Cred& cred, int may) {
  return generic_permission(TRY(ownership()), cred, may);
}

Result<std::string> Inode::getxattr(const std::string&) { return Error{EOPNOTSUPP}; }
Result<void> Inode::setxattr(const std::string&, std::string_view, int) { return Error{EOPNOTSUPP}; }
Result<void> Inode::removexattr(const std::string&) { return Error{EOPNOTSUPP}; }

Result<Ref<Inode>> Inode::lookup(std::string_view) { return Error{ENOENT}; }
Result<std::vector<DirEntry>> Inode::list() { return std::vector<DirEntry>{}; }
Result<Ref<Inode>> Inode::create(std::string_view, const NewInode&) { return Error{EPERM}; }
Result<void> Inode::link(std::string_view, Inode&) { return Error{EPERM}; }
Result<void> Inode::unlink(std::string_view, Inode&) { return Error{EPERM}; }
Result<void> Inode::rmdir(std::string_view, Inode&) { return Error{EPERM}; }
Result<void> Inode::rename(std::string_view, Inode&, Inode&, std::string_view, Inode*, unsigned) {
  return Error{EPERM};
}
Result<Ref<Inode>> Inode::tmpfile(const NewInode&) { return Error{EOPNOTSUPP}; }
Result<std::string> Inode::readlink() { return Error{EINVAL}; }

Result<Ref<File>> Inode::open(const Path& where, int flags) {
  switch (type()) {
    case S_IFDIR:
      return Ref<File>(make_ref<DirFile>(where, flags));
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
      return open_special(*this, where, flags);
    default:
      return Error{ENXIO};
  }
}

void register_filesystem(FileSystemType type) {
  CHECK(find_filesystem(type.name) == nullptr);
  registry().push_back(std::move(type));
}

const FileSystemType* find_filesystem(std::string_view name) {
  auto it = std::find_if(registry().begin(), registry().end(), [&](auto& t) { return t.name == name; });
  return it == registry().end() ? nullptr : &*it;
}

const std::vector<FileSystemType>& filesystems() { return registry(); }

bool mount_option(const std::string& data, std::string_view key, std::string* value) {
  std::string_view rest = data;
  while (!rest.empty()) {
    std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    std::string_view k = item.substr(0, item.find('='));
    if (k != key) continue;
    item.remove_prefix(std::min(item.size(), k.size() + 1));
    *value = item;
    return true;
  }
  return false;
}

}  // namespace starry
