// Finding objects in the layers: lookup, list, attributes, names.
#include <dirent.h>

#include <algorithm>
#include <set>

#include "emulated_kernel/base/log.h"
#include "vfs/overlay/overlay_inode.h"

namespace starry {

// What the layers have under one name.
struct OverlayInode::Found {
  bool upper = false, lower = false;
  Kstat upper_st, lower_st;
  const MetaAttr* meta = nullptr;  // of the upper object
  Ref<HostDir> lower_parent;
  std::vector<Ref<HostDir>> lower_dirs;  // to be merged
};

OverlayInode::OverlayInode(Ref<OverlaySuper> s, const Kstat& st)
    : DataInode(s, st.mode, s->map_ino(st.dev, st.ino)) {
  attr.uid = st.uid;
  attr.gid = st.gid;
  attr.rdev = st.rdev;
  take_attr(st);
}

OverlayInode::~OverlayInode() {
  if (host_id_.second != 0) fs().linked.erase(host_id_);
  for (Name& n : names_) n.dir->children_.erase(n.name);
  // Let go of the ancestors one by one, for deep trees.
  while (!names_.empty()) {
    Ref<OverlayInode> up = std::move(names_.back().dir);
    names_.pop_back();
    while (up && up->ref_count() == 1 && up->names_.size() == 1) {
      Name n = std::move(up->names_.back());
      up->names_.clear();
      n.dir->children_.erase(n.name);
      up = std::move(n.dir);
    }
  }
}

std::string OverlayInode::rel() const {
  std::vector<const std::string*> parts;
  for (const OverlayInode* i = this; !i->names_.empty(); i = i->names_.front().dir.get())
    parts.push_back(&i->names_.front().name);
  std::string path;
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
    if (!path.empty()) path += '/';
    path += **it;
  }
  return path;
}

std::string OverlayInode::rel_of(std::string_view child) const {
  std::string path = rel();
  if (!path.empty()) path += '/';
  return path.append(child);
}

void OverlayInode::add_name(OverlayInode& dir, std::string_view name) {
  CHECK(dir.children_.emplace(name, this).second);
  names_.push_back({Ref<OverlayInode>(&dir), std::string(name)});
  removed_ = false;
}

void OverlayInode::drop_name(OverlayInode& dir, std::string_view name) {
  auto it = std::find_if(names_.begin(), names_.end(),
                         [&](const Name& n) { return n.dir.get() == &dir && n.name == name; });
  CHECK(it != names_.end());
  dir.children_.erase(it->name);
  names_.erase(it);
  removed_ = names_.empty();
}

Result<OverlayInode::Place> OverlayInode::upper_place() {
  if (orphan_) return Place{orphan_->fd(), {}};
  if (upper_dir_) return Place{TRY(upper_dir_->fd()), {}};
  if (removed_) return Error{ESTALE};
  const Name& n = names_.front();
  return Place{TRY(n.dir->upper_dir_->fd()), n.name};
}

Result<OverlayInode::Place> OverlayInode::lower_place() {
  CHECK(lower_parent_);
  return Place{TRY(lower_parent_->fd()), lower_name_};
}

void OverlayInode::take_attr(const Kstat& host) {
  attr.nlink = host.nlink;
  if (!placeholder() || !in_upper_) {
    attr.size = host.size;
    attr.blocks = host.blocks;
  }
  attr.blksize = host.blksize;
  attr.atime = host.atime;
  attr.mtime = host.mtime;
  attr.ctime = host.ctime;
  attr.btime = host.btime;
  if (merged()) {
    attr.nlink = 1;  // "not known" until somebody asks, see stat()
    attr.size = std::max(attr.size, lower_size_);
    attr.blocks = std::max(attr.blocks, lower_blocks_);
  }
  stale_ = false;
}

// A file system that does not count subdirectories has 1 in all of its directories.
void OverlayInode::count_subdirectories() {
  if (subdirectories_ < 0 && lower_nlink_ > 1) {
    Result<std::vector<DirEntry>> entries = list();
    if (!entries.ok()) return;
    int64_t count = 0;
    for (const DirEntry& e : *entries) {
      if (e.type == DT_UNKNOWN) return;
      count += e.type == DT_DIR ? 1 : 0;
    }
    subdirectories_ = count;
  }
  if (lower_nlink_ > 1) attr.nlink = static_cast<uint32_t>(2 + subdirectories_);
}

void OverlayInode::entries_changed(bool directories) {
  stale_ = true;
  if (directories) subdirectories_ = -1;
}

Result<Kstat> OverlayInode::stat() {
  if (stale_ || mapped_) {
    if (removed_ && is_dir()) {
      attr.nlink = 0;
    } else if (Result<Place> p = place(); p.ok()) {
      take_attr(TRY(host_files().stat(p->fd, p->name)));
      if (removed_ && !in_upper_) attr.nlink = 0;
    } else {
      attr.nlink = 0;  // removed, and not open anywhere
      stale_ = false;
    }
  }
  if (merged() && !removed_) count_subdirectories();
  return attr;
}

void OverlayInode::was_read() {
  // The host updates the access time by the relatime rule.
  auto newer = [](const timespec& a, const timespec& b) {
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
  };
  if (!newer(attr.atime, attr.mtime) || !newer(attr.atime, attr.ctime)) stale_ = true;
}

Result<void> OverlayInode::find_lower(const std::string& name, Found& f) {
  for (auto& dir : lower_dirs_) {
    int fd = TRY(dir->fd());
    Result<Kstat> st = host_files().stat(fd, name);
    if (!st.ok()) {
      if (st.code() == ENOENT) continue;
      return st.error();
    }
    if (st->dev == fs().base_stat.dev && st->ino == fs().base_stat.ino) continue;  // the upper layer itself
    const bool is_directory = S_ISDIR(st->mode);
    if (!f.lower) {
      if (f.upper && !is_directory) return {};
      f.lower = true;
      f.lower_st = *st;
      f.lower_parent = dir;
    } else if (!is_directory) {
      return {};
    }
    if (!is_directory || fs().looks_empty(*dir, name, *st)) return {};
    f.lower_dirs.push_back(make_ref<HostDir>(dir, name, st->dev));
  }
  return {};
}

Result<OverlayInode::Found> OverlayInode::find(const std::string& name) {
  Found f;
  const OverlayMeta::Node* node = fs().meta->find(rel_of(name));
  if (upper_dir_) {
    int fd = TRY(upper_dir_->fd());
    Result<Kstat> st = host_files().stat(fd, name);
    if (!st.ok() && st.code() != ENOENT) return st.error();
    f.upper = st.ok();
    if (f.upper) f.upper_st = *st;
  }
  if (f.upper && node != nullptr && node->attr) {
    // Types that the host object cannot have stand in an empty regular file; else they must agree.
    uint32_t host = f.upper_st.mode & S_IFMT, ours = node->attr->mode & S_IFMT;
    if (ours == host || (host == S_IFREG && ours != S_IFDIR && ours != S_IFLNK)) f.meta = node->attr.get();
  }
  bool hidden = node != nullptr && node->hidden;
  if (!hidden && (!f.upper || S_ISDIR(f.upper_st.mode))) TRY(find_lower(name, f));
  if (!f.upper && !f.lower) return Error{ENOENT};
  return f;
}

Ref<OverlayInode> OverlayInode::make_child(const std::string& name, Found f) {
  Kstat st = f.upper ? f.upper_st : f.lower_st;
  if (f.meta != nullptr) {
    st.mode = f.meta->mode;
    st.uid = f.meta->uid;
    st.gid = f.meta->gid;
    st.rdev = f.meta->rdev;
    if (st.mode != f.upper_st.mode && !S_ISREG(st.mode) && !S_ISDIR(st.mode)) st.size = st.blocks = 0;
  }
  std::pair<uint64_t, uint64_t> id{f.upper_st.dev, f.upper_st.ino};
  const bool shared = f.upper && !S_ISDIR(st.mode) && f.upper_st.nlink > 1;
  if (shared) {
    if (auto it = fs().linked.find(id); it != fs().linked.end()) {
      it->second->add_name(*this, name);
      return Ref<OverlayInode>(it->second);
    }
  }
  auto child = make_ref<OverlayInode>(Ref<OverlaySuper>(&fs()), st);
  child->in_upper_ = f.upper;
  if (f.meta != nullptr && f.meta->ino != 0) child->attr.ino = child->kept_ino_ = f.meta->ino;
  if (f.upper && S_ISDIR(st.mode)) child->upper_dir_ = make_ref<HostDir>(upper_dir_, name, f.upper_st.dev);
  child->lower_dirs_ = std::move(f.lower_dirs);
  if (f.lower) {
    child->lower_parent_ = f.lower_parent;
    child->lower_name_ = name;
    child->lower_nlink_ = f.lower_st.nlink;
    child->lower_size_ = f.lower_st.size;
    child->lower_blocks_ = f.lower_st.blocks;
  }
  if (child->merged()) child->take_attr(f.upper ? f.upper_st : f.lower_st);
  child->add_name(*this, name);
  if (shared) {
    child->host_id_ = id;
    fs().linked[id] = child.get();
  }
  return child;
}

Result<Ref<Inode>> OverlayInode::lookup(std::string_view name) {
  std::string n(name);
  if (auto it = children_.find(n); it != children_.end()) return Ref<Inode>(it->second);
  Found f = TRY(find(n));
  return Ref<Inode>(make_child(n, std::move(f)));
}

Result<bool> OverlayInode::lower_has(const std::string& name) {
  if (lower_dirs_.empty()) return false;
  const OverlayMeta::Node* node = fs().meta->find(rel_of(name));
  if (node != nullptr && node->hidden) return false;
  Found f;
  TRY(find_lower(name, f));
  return f.lower;
}

Result<std::vector<DirEntry>> OverlayInode::list() {
  std::vector<DirEntry> out;
  std::set<std::string> seen;
  const OverlayMeta::Node* node = fs().meta->find(rel());
  auto child_node = [&](const std::string& name) -> const OverlayMeta::Node* {
    if (node == nullptr) return nullptr;
    auto it = node->children.find(name);
    return it == node->children.end() ? nullptr : it->second.get();
  };
  if (upper_dir_) {
    int fd = TRY(upper_dir_->fd());
    for (HostDirEntry& e : TRY(host_files().list(fd))) {
      const OverlayMeta::Node* c = child_node(e.name);
      uint64_t ino = fs().map_ino(upper_dir_->dev, e.ino);
      if (c != nullptr && c->attr) {
        if (c->attr->ino != 0) ino = c->attr->ino;
        if (e.type == DT_REG) e.type = static_cast<uint8_t>(IFTODT(c->attr->mode));
      }
      if (!lower_dirs_.empty()) seen.insert(e.name);
      out.push_back({std::move(e.name), ino, e.type});
    }
  }
  for (size_t i = 0; i < lower_dirs_.size(); ++i) {
    HostDir& dir = *lower_dirs_[i];
    int fd = TRY(dir.fd());
    for (HostDirEntry& e : TRY(host_files().list(fd))) {
      const OverlayMeta::Node* c = child_node(e.name);
      if (c != nullptr && c->hidden) continue;
      if (e.ino == fs().base_stat.ino && dir.dev == fs().base_stat.dev && e.type == DT_DIR) continue;
      if (!seen.empty() && seen.count(e.name) != 0) continue;
      if (i + 1 < lower_dirs_.size()) seen.insert(e.name);
      out.push_back({std::move(e.name), fs().map_ino(dir.dev, e.ino), e.type});
    }
  }
  return out;
}

}  // namespace starry
