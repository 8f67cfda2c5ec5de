#include "vfs/walk.h"

#include "emulated_kernel/task/task.h"
#include "vfs/dentry.h"
#include "vfs/file_rules.h"
#include "vfs/inode.h"
#include "vfs/mount.h"
#include "vfs/permission.h"

namespace starry {

namespace {

constexpr int MAX_LINKS = 40;  // MAXSYMLINKS

// /proc/sys/fs/protected_symlinks = 1: in a sticky world-writable directory only links of the follower
// or of the directory's owner are followed (proc(5)).
Result<void> may_follow_link(const Path& dir, Inode& link, const Cred& cred) {
  Kstat parent = TRY(dir.dentry->inode()->ownership());
  if ((parent.mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH)) return {};
  Kstat st = TRY(link.ownership());
  if (st.uid == cred.fsuid || st.uid == parent.uid) return {};
  return Error{EACCES};
}

}  // namespace

Caller::Caller(const Task& t) : cred(*t.cred), fs(*t.fs) {}

Walk::Walk(const Caller& caller, Path start, std::string_view path, unsigned flags)
    : caller_(caller), flags_(flags), root_(caller.fs.root), start_(std::move(start)), rest_(path) {
  if (flags_ & (WALK_BENEATH | WALK_IN_ROOT)) root_ = start_;
}

Result<void> Walk::begin() {
  started_ = true;
  cur_ = start_;
  if (rest_.empty()) return {};
  if (rest_[0] == '/') {
    if (flags_ & WALK_BENEATH) return Error{EXDEV};
    cur_ = root_;
  }
  if (cur_.dentry->negative() || !cur_.dentry->inode()->is_dir()) return Error{ENOTDIR};
  return {};
}

Result<void> Walk::to_last() {
  if (!started_) TRY(begin());
  for (;;) {
    while (at_ < rest_.size() && rest_[at_] == '/') ++at_;
    if (at_ == rest_.size()) {
      last_.clear();
      return {};
    }
    TRY(cur_.dentry->inode()->permission(caller_.cred, MAY_EXEC));
    size_t end = std::min(rest_.find('/', at_), rest_.size());
    size_t next = std::min(rest_.find_first_not_of('/', end), rest_.size());
    std::string_view name(rest_.data() + at_, end - at_);
    if (next == rest_.size()) {
      last_ = name;
      slash_ = end != next;
      at_ = end;
      return {};
    }
    std::string component(name);
    at_ = end;
    if (!TRY(step(component, true))) continue;
    if (!cur_.dentry->inode()->is_dir()) return Error{ENOTDIR};
  }
}

Result<bool> Walk::take_last(bool follow) {
  if (last_.empty()) return true;
  std::string name = std::move(last_);
  last_.clear();
  if (!TRY(step(name, follow || slash_))) {
    if (!jumped_) return false;
    jumped_ = false;
  }
  if (slash_ && !cur_.dentry->inode()->is_dir()) return Error{ENOTDIR};
  return true;
}

// One component. False: it was a link, and rest_ (or cur_, for a magic link) says where to go on.
Result<bool> Walk::step(std::string_view name, bool follow) {
  if (name == ".") return true;
  if (name == "..") {
    TRY(step_up());
    return true;
  }
  Path child(cur_.mount, TRY(cur_.dentry->lookup(name)));
  if (child.dentry->negative()) return Error{ENOENT};
  if (child.dentry->mounts > 0) {
    Mount* before = child.mount.get();
    follow_mounts(child);
    if (child.mount.get() != before && (flags_ & WALK_NO_XDEV)) return Error{EXDEV};
  }
  TRY(apply_file_rules(child));
  if (follow && child.dentry->inode()->is_symlink()) {
    TRY(enter_link(child));
    return false;
  }
  cur_ = std::move(child);
  return true;
}

Result<void> Walk::enter_link(const Path& link) {
  Inode& inode = *link.dentry->inode();
  if (++links_ > MAX_LINKS) return Error{ELOOP};
  if (flags_ & WALK_NO_SYMLINKS) return Error{ELOOP};
  TRY(may_follow_link(cur_, inode, caller_.cred));
  jumped_ = false;
  if (Path target = TRY(inode.follow())) {
    if (flags_ & WALK_NO_MAGICLINKS) return Error{ELOOP};
    if (flags_ & (WALK_BENEATH | WALK_IN_ROOT)) return Error{EXDEV};
    if ((flags_ & WALK_NO_XDEV) && target.mount != link.mount) return Error{EXDEV};
    cur_ = std::move(target);
    jumped_ = true;
    if (rest_.find_first_not_of('/', at_) != std::string::npos && !cur_.dentry->inode()->is_dir())
      return Error{ENOTDIR};
    return {};
  }
  std::string text = TRY(inode.readlink());
  if (text.empty()) return Error{ENOENT};
  if (text[0] == '/') {
    if (flags_ & WALK_BENEATH) return Error{EXDEV};
    if ((flags_ & WALK_NO_XDEV) && cur_.mount != root_.mount) return Error{EXDEV};
    cur_ = root_;
  }
  rest_ = text + rest_.substr(at_);
  at_ = 0;
  return {};
}

// "..": not above the caller's root, and out of a mount at its root.
Result<void> Walk::step_up() {
  if (cur_.mount == root_.mount && cur_.dentry == root_.dentry)
    return (flags_ & WALK_BENEATH) ? Result<void>(Error{EXDEV}) : Result<void>();
  Path p = cur_;
  while (p.dentry == p.mount->root) {
    if (!p.mount->parent) break;  // the top of the tree, or a detached mount
    if (flags_ & WALK_NO_XDEV) return Error{EXDEV};
    Ref<Mount> below = p.mount->parent;
    p.dentry = p.mount->mountpoint;
    p.mount = std::move(below);
    if (p.mount == root_.mount && p.dentry == root_.dentry) break;
  }
  if (p.dentry->parent() != nullptr && p.dentry != p.mount->root) p.dentry = p.dentry->parent();
  follow_mounts(p);
  cur_ = std::move(p);
  return {};
}

Result<Path> Walk::run() {
  if (rest_.empty()) {
    if (!(flags_ & WALK_EMPTY)) return Error{ENOENT};
    return start_;
  }
  do TRY(to_last());
  while (!TRY(take_last((flags_ & WALK_FOLLOW) != 0)));
  if ((flags_ & WALK_DIRECTORY) && !cur_.dentry->inode()->is_dir()) return Error{ENOTDIR};
  return cur_;
}

Result<Path> walk_path(const Caller& caller, const Path& start, std::string_view path, unsigned flags) {
  return Walk(caller, start, path, flags).run();
}

}  // namespace starry
