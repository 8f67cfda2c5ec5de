#include "vfs/tmpfs/tmpfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include <algorithm>
#include <charconv>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/page.h"
#include "vfs/dentry.h"
#include "vfs/ops.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

constexpr uint64_t DEFAULT_LIMIT = 1ULL << 30;
constexpr size_t XATTR_TOTAL_MAX = 64 * 1024;  // names and values of one inode
constexpr int F_SEAL_EXEC_BIT = 0x20;          // Linux 6.3
constexpr unsigned MFD_NOEXEC_SEAL_BIT = 8;    // Linux 6.3

// "64k", "10m", "1g", "4096"; 0 if malformed.
uint64_t parse_size(const std::string& text) {
  uint64_t n = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (ec != std::errc()) return 0;
  switch (end == text.data() + text.size() ? 0 : *end | 0x20) {
    case 'k':
      return n << 10;
    case 'm':
      return n << 20;
    case 'g':
      return n << 30;
    default:
      return n;
  }
}

Result<Ref<Inode>> mount_tmpfs(const std::string& type, const MountArgs& args) {
  std::string v;
  uint64_t limit = DEFAULT_LIMIT;
  if (mount_option(args.data, "size", &v) && v.find('%') == std::string::npos) {
    limit = parse_size(v);
    if (limit == 0) return Error{EINVAL};
  }
  NewInode root;
  root.mode = S_IFDIR | 01777;
  const Cred* by = in_task() ? current().cred.get() : nullptr;
  if (by != nullptr) root.uid = by->fsuid, root.gid = by->fsgid;
  if (mount_option(args.data, "mode", &v))
    root.mode = S_IFDIR | (static_cast<uint32_t>(strtoul(v.c_str(), nullptr, 8)) & 07777);
  const UserNamespace& ids = by != nullptr ? *by->user_ns : *initial_user_ns();
  if (mount_option(args.data, "uid", &v))
    root.uid = ids.kuid(static_cast<uint32_t>(strtoul(v.c_str(), nullptr, 10)));
  if (mount_option(args.data, "gid", &v))
    root.gid = ids.kgid(static_cast<uint32_t>(strtoul(v.c_str(), nullptr, 10)));
  if (root.uid == NO_ID || root.gid == NO_ID) return Error{EINVAL};
  auto sb = make_ref<TmpfsSuper>(type, limit);
  if (!args.data.empty()) sb->options = "," + args.data;
  return Ref<Inode>(make_ref<TmpfsInode>(sb, root));
}

uint8_t dirent_type(const Inode& i) { return static_cast<uint8_t>(IFTODT(i.type())); }

}  // namespace

void init_tmpfs() {
  for (const char* type : {"tmpfs", "ramfs"})
    register_filesystem({type, false, [type](const MountArgs& a) { return mount_tmpfs(type, a); },
                         [](const Task& t) -> const UserNamespace& { return *t.cred->user_ns; }});
}

static Ref<TmpfsInode> kernel_file(uint32_t uid, uint32_t gid) {
  static const auto sb = make_ref<TmpfsSuper>("tmpfs", ~0ULL);
  NewInode n;
  n.mode = S_IFREG | 0777;
  n.uid = uid;
  n.gid = gid;
  auto inode = make_ref<TmpfsInode>(sb, n);
  inode->attr.nlink = 0;
  return inode;
}

Result<Ref<File>> make_memfd(const std::string& name, unsigned flags, uint32_t uid, uint32_t gid) {
  auto inode = kernel_file(uid, gid);
  if (flags & MFD_ALLOW_SEALING) inode->set_seals(0);
  if (flags & MFD_NOEXEC_SEAL_BIT) {
    inode->attr.mode &= ~0111U;
    inode->set_seals(F_SEAL_EXEC_BIT);
  }
  Path p = vfs_anon_path(inode, "/memfd:" + name + " (deleted)");
  return inode->open(p, O_RDWR | KERNEL_O_LARGEFILE);
}

Result<Ref<File>> make_shmem(const std::string& name, uint32_t uid, uint32_t gid) {
  auto inode = kernel_file(uid, gid);
  return inode->open(vfs_anon_path(inode, name), O_RDWR | KERNEL_O_LARGEFILE);
}

TmpfsSuper::TmpfsSuper(std::string fs_name, uint64_t limit_bytes)
    : SuperBlock(std::move(fs_name), TMPFS_MAGIC), limit(limit_bytes) {}

Result<struct statfs> TmpfsSuper::statfs() {
  struct statfs s = {};
  s.f_type = TMPFS_MAGIC;
  s.f_bsize = s.f_frsize = PAGE;
  s.f_namelen = 255;
  s.f_blocks = limit / PAGE;
  s.f_bfree = s.f_bavail = (limit - std::min(limit, used)) / PAGE;
  s.f_files = s.f_ffree = 1 << 20;
  return s;
}

std::string TmpfsSuper::show_options() const { return options; }

TmpfsInode::TmpfsInode(Ref<TmpfsSuper> s, const NewInode& what)
    : DataInode(std::move(s), what.mode), target_(what.target), seals_(F_SEAL_SEAL) {
  attr.uid = what.uid;
  attr.gid = what.gid;
  attr.rdev = what.rdev;
  if (is_symlink()) attr.size = target_.size();
}

TmpfsInode::~TmpfsInode() { super().used -= accounted_; }

Result<Kstat> TmpfsInode::stat() {
  Kstat st = attr;
  st.blocks = accounted_ / 512;
  if (is_dir()) st.size = (entries_.size() + 2) * 20;  // as Linux's tmpfs counts
  return st;
}

Result<Ref<HostData>> TmpfsInode::open_data(bool) {
  if (!data_) {
    int fd = TRY(host_files().memfd("tmpfs"));
    data_ = make_ref<HostData>(HostFd(fd), true);
  }
  return data_;
}

void TmpfsInode::account(uint64_t bytes) {
  super().used += bytes - accounted_;
  accounted_ = bytes;
}

Result<void> TmpfsInode::resize(uint64_t size) {
  if ((seals_ & F_SEAL_SHRINK) && size < attr.size) return Error{EPERM};
  if ((seals_ & F_SEAL_GROW) && size > attr.size) return Error{EPERM};
  if (size > attr.size || data_) {
    Ref<HostData> d = TRY(data(true));
    TRY(host_files().truncate(d->fd(), size));
  }
  if (page_up(size) < accounted_) account(page_up(size));
  attr.size = size;
  touch_mtime();
  return {};
}

Result<void> TmpfsInode::setattr(const SetAttr& a) {
  if ((a.valid & SetAttr::MODE) && (seals_ & F_SEAL_EXEC_BIT) && ((attr.mode ^ a.mode) & 0111))
    return Error{EPERM};
  if (a.valid & SetAttr::SIZE) TRY(resize(a.size));
  apply_attr(a);
  return {};
}

Result<size_t> TmpfsInode::may_write(uint64_t offset, size_t len) {
  if (seals_ & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) return Error{EPERM};
  if ((seals_ & F_SEAL_GROW) && offset + len > attr.size) {
    if (offset >= attr.size) return Error{EPERM};
    len = attr.size - offset;
  }
  // Only growth at the end is charged; filling holes is not worth the bookkeeping.
  const uint64_t first = std::max(page_up(attr.size), page_down(offset));
  uint64_t end = page_up(offset + len);
  const uint64_t room = (super().limit - std::min(super().used, super().limit)) & ~(PAGE - 1);
  if (end > first && end - first > room) {  // as much as fits
    end = first + room;
    if (offset >= end) return Error{ENOSPC};
    len = end - offset;
  }
  const uint64_t growth = end > first ? end - first : 0;
  if (growth != 0) account(accounted_ + growth);
  return len;
}

void TmpfsInode::wrote(uint64_t end) {
  attr.size = std::max(attr.size, end);
  touch_mtime();
}

void TmpfsInode::was_read() {
  // relatime: only if it was older than the last change
  auto older = [](const timespec& a, const timespec& b) {
    return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec <= b.tv_nsec);
  };
  if (older(attr.atime, attr.mtime) || older(attr.atime, attr.ctime)) attr.atime = now();
}

Result<void> TmpfsInode::fallocate(int mode, int64_t offset, int64_t len) {
  if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) return Error{EOPNOTSUPP};
  auto end = static_cast<uint64_t>(offset + len);
  if (mode & FALLOC_FL_PUNCH_HOLE) {
    if (seals_ & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) return Error{EPERM};
  } else {
    if ((seals_ & F_SEAL_GROW) && end > attr.size) return Error{EPERM};
    if (super().used + static_cast<uint64_t>(len) > super().limit) return Error{ENOSPC};
  }
  Ref<HostData> d = TRY(data(true));
  TRY(host_files().fallocate(d->fd(), mode, offset, len));
  if (!(mode & FALLOC_FL_PUNCH_HOLE)) account(std::max(accounted_, page_up(end)));
  if (!(mode & FALLOC_FL_KEEP_SIZE)) attr.size = std::max(attr.size, end);
  touch_mtime();
  return {};
}

Result<int> TmpfsInode::seals() {
  if (!is_regular()) return Error{EINVAL};
  return seals_;
}

Result<void> TmpfsInode::add_seals(int add) {
  constexpr int ALL =
      F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC_BIT;
  if (add & ~ALL) return Error{EINVAL};
  if (seals_ & F_SEAL_SEAL) return Error{EPERM};
  if ((add & F_SEAL_EXEC_BIT) && (attr.mode & 0111))
    add |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
  if ((add & F_SEAL_WRITE) && !(seals_ & F_SEAL_WRITE) && mapped_for_writing(*this)) return Error{EBUSY};
  seals_ |= add;
  return {};
}

// There are no access control lists, and nothing else has a meaning for the kernel.
static bool system_attribute(const std::string& name) { return name.starts_with("system."); }

Result<std::string> TmpfsInode::getxattr(const std::string& name) {
  if (system_attribute(name)) return Error{EOPNOTSUPP};
  auto it = xattrs_.find(name);
  if (it == xattrs_.end()) return Error{ENODATA};
  return it->second;
}

Result<void> TmpfsInode::setxattr(const std::string& name, std::string_view value, int flags) {
  if (system_attribute(name)) return Error{EOPNOTSUPP};
  auto it = xattrs_.find(name);
  if ((flags & XATTR_CREATE) && it != xattrs_.end()) return Error{EEXIST};
  if ((flags & XATTR_REPLACE) && it == xattrs_.end()) return Error{ENODATA};
  size_t total = name.size() + value.size();
  for (auto& [n, v] : xattrs_)
    if (n != name) total += n.size() + v.size();
  if (total > XATTR_TOTAL_MAX) return Error{ENOSPC};
  xattrs_[name] = value;
  attr.ctime = now();
  return {};
}

Result<void> TmpfsInode::removexattr(const std::string& name) {
  if (system_attribute(name)) return Error{EOPNOTSUPP};
  return xattrs_.erase(name) != 0 ? Result<void>() : Error{ENODATA};
}

Result<std::vector<std::string>> TmpfsInode::listxattr() {
  std::vector<std::string> names;
  for (auto& [n, v] : xattrs_) names.push_back(n);
  return names;
}

// --- directories ---

Result<Ref<Inode>> TmpfsInode::lookup(std::string_view name) {
  auto it = entries_.find(name);
  if (it == entries_.end()) return Error{ENOENT};
  return Ref<Inode>(it->second);
}

Result<std::vector<DirEntry>> TmpfsInode::list() {
  std::vector<DirEntry> out;
  out.reserve(entries_.size());
  for (auto& [name, inode] : entries_) out.push_back({name, inode->ino(), dirent_type(*inode)});
  return out;
}

Result<Ref<Inode>> TmpfsInode::create(std::string_view name, const NewInode& what) {
  auto inode = make_ref<TmpfsInode>(Ref<TmpfsSuper>(&super()), what);
  entries_.emplace(name, inode);
  if (inode->is_dir()) ++attr.nlink;
  touch_mtime();
  return Ref<Inode>(inode);
}

Result<Ref<Inode>> TmpfsInode::tmpfile(const NewInode& what) {
  auto inode = make_ref<TmpfsInode>(Ref<TmpfsSuper>(&super()), what);
  inode->attr.nlink = 0;
  return Ref<Inode>(inode);
}

Result<void> TmpfsInode::link(std::string_view name, Inode& target) {
  auto& inode = static_cast<TmpfsInode&>(target);
  entries_.emplace(name, &inode);
  ++inode.attr.nlink;
  inode.attr.ctime = now();
  touch_mtime();
  return {};
}

Result<void> TmpfsInode::unlink(std::string_view name, Inode& victim) {
  Ref<Inode> keep(&victim);
  entries_.erase(entries_.find(name));
  --victim.attr.nlink;
  victim.attr.ctime = now();
  touch_mtime();
  return {};
}

Result<void> TmpfsInode::rmdir(std::string_view name, Inode& victim) {
  if (!static_cast<TmpfsInode&>(victim).entries_.empty()) return Error{ENOTEMPTY};
  victim.attr.nlink = 0;
  entries_.erase(entries_.find(name));
  --attr.nlink;
  touch_mtime();
  return {};
}

Result<void> TmpfsInode::rename(std::string_view old_name, Inode& what, Inode& new_dir,
                                std::string_view new_name, Inode* target, unsigned flags) {
  auto& to = static_cast<TmpfsInode&>(new_dir);
  Ref<TmpfsInode> moved(&static_cast<TmpfsInode&>(what)), other(static_cast<TmpfsInode*>(target));
  if (flags & RENAME_EXCHANGE) {
    entries_.find(old_name)->second = other;
    to.entries_.find(new_name)->second = moved;
    if (other->is_dir()) --to.attr.nlink, ++attr.nlink;
  } else {
    if (other) TRY(other->is_dir() ? to.rmdir(new_name, *other) : to.unlink(new_name, *other));
    entries_.erase(entries_.find(old_name));
    to.entries_.emplace(new_name, moved);
  }
  if (moved->is_dir()) --attr.nlink, ++to.attr.nlink;
  moved->attr.ctime = now();
  touch_mtime();
  to.touch_mtime();
  return {};
}

}  // namespace starry
