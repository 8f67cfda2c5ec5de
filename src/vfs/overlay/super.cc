// Setting up an overlay, and what belongs to it as a whole.
#include <fcntl.h>
#include <linux/magic.h>

#include <algorithm>
#include <set>

#include "vfs/overlay/overlay_inode.h"

namespace starry {

namespace {

// File systems whose contents are the host kernel's business, never the guest's.
bool is_host_pseudo(uint64_t magic) {
  static constexpr uint64_t MAGICS[] = {
      PROC_SUPER_MAGIC,        SYSFS_MAGIC,         DEVPTS_SUPER_MAGIC,
      CGROUP_SUPER_MAGIC,      CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,
      TRACEFS_MAGIC,           SECURITYFS_MAGIC,    BPF_FS_MAGIC,
      PSTOREFS_MAGIC,          EFIVARFS_MAGIC,      BINFMTFS_MAGIC,
      SELINUX_MAGIC,           NSFS_MAGIC,          0x62656570 /* configfs */,
      0x19800202 /* mqueue */, 0x65735543 /* fusectl */};
  return std::find(std::begin(MAGICS), std::end(MAGICS), magic) != std::end(MAGICS);
}

Result<Ref<HostDir>> open_top(const std::string& path) {
  HostFd fd(TRY(host_files().open_root(path, true)));
  Kstat st = TRY(host_files().stat(fd.get()));
  return make_ref<HostDir>(std::move(fd), st.dev);
}

// `is_new`: it did not exist yet.
Result<Ref<HostDir>> open_sub(HostDir& base, const std::string& name, bool* is_new) {
  int dir = TRY(base.fd());
  Result<void> made = host_files().mkdir(dir, name, 0700);
  if (!made.ok() && made.code() != EEXIST) return made.error();
  *is_new = made.ok();
  HostFd fd(TRY(host_files().open(dir, name, O_PATH | O_DIRECTORY)));
  return make_ref<HostDir>(std::move(fd), base.dev);
}

// Files that were on their way up when the last run ended.
Result<void> empty_dir(HostDir& dir) {
  int fd = TRY(dir.fd());
  for (HostDirEntry& e : TRY(host_files().list(fd))) TRY(host_files().unlink(fd, e.name));
  return {};
}

}  // namespace

OverlaySuper::OverlaySuper() : SuperBlock("overlay", OVERLAYFS_SUPER_MAGIC) {
  std::tie(host_uid, host_gid) = host_files().owner();
}

Result<struct statfs> OverlaySuper::statfs() {
  int fd = TRY(upper->fd());
  struct statfs s = TRY(host_files().statfs(fd));
  s.f_type = OVERLAYFS_SUPER_MAGIC;
  s.f_flags = 0;
  return s;
}

Result<void> OverlaySuper::sync() { return host_files().syncfs(TRY(upper->fd())); }

uint64_t OverlaySuper::map_ino(uint64_t host_dev, uint64_t host_ino) {
  constexpr int DEV_SHIFT = 48;
  auto it = std::find(devs_.begin(), devs_.end(), host_dev);
  auto index = static_cast<uint64_t>(it - devs_.begin());
  if (it == devs_.end()) devs_.push_back(host_dev);
  return host_ino ^ (index << DEV_SHIFT);
}

bool OverlaySuper::looks_empty(HostDir& parent, std::string_view name, const Kstat& st) const {
  if (lower_is_host_root && &parent == top_lower && (name == "proc" || name == "sys" || name == "dev"))
    return true;
  if (st.dev == parent.dev) return false;
  Result<int> fd = parent.fd();
  if (!fd.ok()) return false;
  Result<int> dir = host_files().open(*fd, std::string(name), O_PATH | O_DIRECTORY);
  if (!dir.ok()) return false;
  HostFd keep(*dir);
  Result<struct statfs> s = host_files().statfs(keep.get());
  return s.ok() && is_host_pseudo(static_cast<uint64_t>(s->f_type));
}

Result<Ref<Inode>> make_overlay(const OverlayConfig& config) {
  auto sb = make_ref<OverlaySuper>();
  std::vector<Ref<HostDir>> lowers;
  for (const std::string& path : config.lowers) lowers.push_back(TRY(open_top(path)));
  sb->base = TRY(open_top(config.upper));
  int base_fd = TRY(sb->base->fd());
  sb->base_stat = TRY(host_files().stat(base_fd));
  bool new_upper = false, new_work = false;
  sb->upper = TRY(open_sub(*sb->base, "upper", &new_upper));
  sb->work = TRY(open_sub(*sb->base, "work", &new_work));
  TRY(empty_dir(*sb->work));
  sb->meta = TRY(OverlayMeta::open(base_fd));

  int upper_fd = TRY(sb->upper->fd());
  Kstat st = TRY(host_files().stat(upper_fd)), root = st;
  if (!lowers.empty()) {
    // The root looks like the lower one: DIR/upper itself is private to its owner.
    sb->top_lower = lowers[0].get();
    int lower_fd = TRY(lowers[0]->fd());
    root = TRY(host_files().stat(lower_fd));
    const timespec times[2] = {root.atime, root.mtime};
    if (new_upper) TRY(host_files().utimens(upper_fd, {}, times));
    HostFd host_root(TRY(host_files().open_root("/", true)));
    Kstat host = TRY(host_files().stat(host_root.get()));
    sb->lower_is_host_root = host.dev == root.dev && host.ino == root.ino;
    sb->map_ino(root.dev, 0);
    st.mode = root.mode;
    st.uid = root.uid;
    st.gid = root.gid;
    st.ino = root.ino;
    st.dev = root.dev;
  } else {
    st.mode = (st.mode & S_IFMT) | 0755;
  }
  const OverlayMeta::Node& node = sb->meta->root();
  if (node.attr) {
    st.mode = (st.mode & S_IFMT) | (node.attr->mode & 07777);
    st.uid = node.attr->uid;
    st.gid = node.attr->gid;
  }
  auto inode = make_ref<OverlayInode>(sb, st);
  inode->in_upper_ = true;
  inode->upper_dir_ = sb->upper;
  inode->lower_dirs_ = std::move(lowers);
  inode->lower_nlink_ = root.nlink;
  inode->lower_size_ = root.size;
  inode->lower_blocks_ = root.blocks;
  inode->stale_ = true;
  return Ref<Inode>(inode);
}

Result<std::vector<std::string>> overlay_changes(Inode& root) {
  std::vector<std::string> out;
  std::vector<Ref<OverlayInode>> todo{&static_cast<OverlayInode&>(root)};
  while (!todo.empty()) {
    Ref<OverlayInode> dir = std::move(todo.back());
    todo.pop_back();
    int fd = TRY(dir->upper_dir_->fd());
    std::set<std::string> above;
    for (HostDirEntry& e : TRY(host_files().list(fd))) {
      above.insert(e.name);
      Ref<Inode> found = TRY(dir->lookup(e.name));
      auto& child = static_cast<OverlayInode&>(*found);
      bool merged = child.is_dir() && !child.lower_dirs_.empty();
      if (!merged) out.push_back("/" + dir->rel_of(e.name));
      if (child.is_dir()) todo.emplace_back(&child);
    }
    const OverlayMeta::Node* node = dir->fs().meta->find(dir->rel());
    if (node == nullptr || dir->lower_dirs_.empty()) continue;
    for (auto& [name, child] : node->children)
      if (child->hidden && above.count(name) == 0) out.push_back("/" + dir->rel_of(name) + " (deleted)");
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace starry
