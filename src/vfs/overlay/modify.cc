// Creating, removing and renaming.
#include <fcntl.h>
#include <stdio.h>

#include "emulated_kernel/base/log.h"
#include "vfs/overlay/overlay_inode.h"

namespace starry {

namespace {

// A directory tree of the lower layers up to this size is copied up to be renamed; above it rename(2)
// fails with EXDEV and mv(1) copies.
constexpr int TREE_ENTRIES_MAX = 4096;
constexpr uint64_t TREE_BYTES_MAX = 256 << 20;

}  // namespace

Result<void> OverlayInode::make_host_object(int up, const std::string& name, const NewInode& what) {
  const uint32_t perm = what.mode & 0777;
  switch (what.mode & S_IFMT) {
    case S_IFDIR:
      TRY(host_files().mkdir(up, name, perm | 0700));
      return host_files().chmod(up, name, perm | 0700);  // whatever the umask is
    case S_IFLNK:
      return host_files().symlink(what.target, up, name);
    default: {
      HostFd fd(TRY(host_files().open(up, name, O_RDWR | O_CREAT | O_EXCL, perm | 0600)));
      return host_files().chmod(fd.get(), {}, perm | 0600);
    }
  }
}

Result<Ref<Inode>> OverlayInode::create(std::string_view name, const NewInode& what) {
  std::string n(name), path = rel_of(name);
  TRY(copy_up());
  int up = TRY(upper_dir_->fd());
  TRY(make_host_object(up, n, what));
  Kstat host = TRY(host_files().stat(up, n)), st = host;
  st.mode = what.mode;
  st.uid = what.uid;
  st.gid = what.gid;
  st.rdev = what.rdev;
  auto child = make_ref<OverlayInode>(Ref<OverlaySuper>(&fs()), st);
  child->in_upper_ = true;
  if (child->is_dir()) child->upper_dir_ = make_ref<HostDir>(upper_dir_, n, fs().upper->dev);
  Result<void> recorded = child->record(path, true, host, 0);
  if (!recorded.ok()) {
    (void)(child->is_dir() ? host_files().rmdir(up, n) : host_files().unlink(up, n));
    return recorded.error();
  }
  child->add_name(*this, n);
  entries_changed(child->is_dir());
  return Ref<Inode>(child);
}

Result<Ref<Inode>> OverlayInode::tmpfile(const NewInode& what) {
  int work = TRY(fs().work->fd());
  uint32_t mode = (what.mode & 0777) | 0600;
  HostFd fd(TRY(host_files().open(work, ".", O_TMPFILE | O_RDWR, mode)));
  TRY(host_files().chmod(fd.get(), {}, mode));
  Kstat st = TRY(host_files().stat(fd.get()));
  st.mode = what.mode;
  st.uid = what.uid;
  st.gid = what.gid;
  auto inode = make_ref<OverlayInode>(Ref<OverlaySuper>(&fs()), st);
  inode->in_upper_ = inode->removed_ = true;
  inode->orphan_ = make_ref<HostData>(std::move(fd), true);
  return Ref<Inode>(inode);
}

Result<void> OverlayInode::link(std::string_view name, Inode& target) {
  auto& t = static_cast<OverlayInode&>(target);
  std::string n(name), path = rel_of(name);
  TRY(copy_up());
  if (!t.removed_) TRY(t.copy_up());
  Place from = TRY(t.upper_place());
  int up = TRY(upper_dir_->fd());
  if (from.name.empty())
    TRY(host_files().link_fd(from.fd, up, n));
  else
    TRY(host_files().link(from.fd, from.name, up, n));
  Kstat host = TRY(host_files().stat(up, n));
  if (t.names_.empty()) {
    TRY(t.record(path, true, host, t.kept_ino_));
    t.orphan_ = nullptr;
  } else {
    // All names share one record, so that a later chown by one of them is seen by the others.
    MetaAttr m{t.attr.mode, t.attr.uid, t.attr.gid, t.attr.rdev, t.kept_ino_, 0};
    TRY(fs().meta->set_attr(t.rel(), m));
    TRY(fs().meta->link_attr(t.rel(), path));
  }
  t.add_name(*this, n);
  if (t.host_id_.second == 0) {
    t.host_id_ = {host.dev, host.ino};
    fs().linked[t.host_id_] = &t;
  }
  t.stale_ = stale_ = true;
  return {};
}

// A file that is about to lose its last known name but is open keeps its data at hand.
Result<void> OverlayInode::hold_data() {
  if (!is_regular() || opens == 0 || orphan_ || !in_upper_ || names_.size() > 1) return {};
  orphan_ = TRY(data(true));
  return {};
}

Result<void> OverlayInode::touch_dir() {
  static constexpr timespec NOW[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
  stale_ = true;
  Place p = TRY(upper_place());
  return host_files().utimens(p.fd, p.name, NOW);
}

Result<void> OverlayInode::remove_entry(std::string_view name, OverlayInode& victim) {
  std::string n(name), path = rel_of(name);
  bool below = TRY(lower_has(n));
  TRY(copy_up());
  TRY(victim.hold_data());
  if (below) TRY(fs().meta->hide(path));
  if (victim.in_upper_) {
    int up = TRY(upper_dir_->fd());
    TRY(victim.is_dir() ? host_files().rmdir(up, n) : host_files().unlink(up, n));
  } else {
    TRY(touch_dir());
  }
  TRY(fs().meta->forget(path));
  victim.drop_name(*this, n);
  victim.stale_ = true;
  entries_changed(victim.is_dir());
  return {};
}

Result<void> OverlayInode::unlink(std::string_view name, Inode& victim) {
  return remove_entry(name, static_cast<OverlayInode&>(victim));
}

Result<void> OverlayInode::rmdir(std::string_view name, Inode& victim) {
  auto& v = static_cast<OverlayInode&>(victim);
  if (!TRY(v.list()).empty()) return Error{ENOTEMPTY};
  return remove_entry(name, v);
}

// Makes the object and its directory ready to be renamed; `*lower`: the name must be hidden afterwards.
Result<void> OverlayInode::prepare_rename(OverlayInode& dir, const std::string& name, bool* lower) {
  *lower = TRY(dir.lower_has(name));
  if (is_dir() && !lower_dirs_.empty()) {
    int entries = TREE_ENTRIES_MAX;
    uint64_t bytes = TREE_BYTES_MAX;
    return copy_up_tree(entries, bytes);
  }
  return copy_up();
}

Result<void> OverlayInode::rename(std::string_view old_name, Inode& what, Inode& new_dir,
                                  std::string_view new_name, Inode* target, unsigned flags) {
  auto& w = static_cast<OverlayInode&>(what);
  auto& to = static_cast<OverlayInode&>(new_dir);
  Ref<OverlayInode> keep(&w), t(static_cast<OverlayInode*>(target));
  const std::string on(old_name), nn(new_name), old_path = rel_of(on), new_path = to.rel_of(nn);
  const bool exchange = (flags & RENAME_EXCHANGE) != 0;
  if (t && t->is_dir() && !exchange && !TRY(t->list()).empty()) return Error{ENOTEMPTY};

  bool old_lower = false, new_lower = false;
  TRY(w.prepare_rename(*this, on, &old_lower));
  if (exchange)
    TRY(t->prepare_rename(to, nn, &new_lower));
  else
    new_lower = TRY(to.lower_has(nn));
  TRY(to.copy_up());
  if (t && !exchange) TRY(t->hold_data());

  // What must not shine through from below is hidden first: a crash in between loses nothing.
  if (new_lower) TRY(fs().meta->hide(new_path));
  int from_fd = TRY(upper_dir_->fd()), to_fd = TRY(to.upper_dir_->fd());
  TRY(host_files().rename(from_fd, on, to_fd, nn, flags));
  if (old_lower) TRY(fs().meta->hide(old_path));
  TRY(exchange ? fs().meta->exchange(old_path, new_path) : fs().meta->rename(old_path, new_path));

  auto renamed = [](OverlayInode& i, OverlayInode& dir, const std::string& name) {
    i.add_name(dir, name);
    if (i.upper_dir_) i.upper_dir_->moved(dir.upper_dir_, name);
    i.stale_ = true;
  };
  w.drop_name(*this, on);
  if (t) t->drop_name(to, nn);
  renamed(w, to, nn);
  if (exchange) renamed(*t, *this, on);
  if (t) t->stale_ = true;
  const bool directories = w.is_dir() || (t && t->is_dir());
  entries_changed(directories);
  to.entries_changed(directories);
  return {};
}

}  // namespace starry
