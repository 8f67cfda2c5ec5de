#include "vfs/mount.h"

#include <linux/sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <map>

#include "emulated_kernel/task/user_namespace.h"
#include "vfs/fs_context.h"

namespace starry {

namespace {

constexpr uint64_t INITIAL_MOUNT_NS_INO = 4026531841;

struct MountTable {
  Ref<MountNamespace> initial;
  std::map<std::pair<const Mount*, const Dentry*>, Mount*> at;  // topmost mount on a place
  int last_id = 20;
};

MountTable& table() {
  static MountTable* t = new MountTable;  // outlives every mount
  return *t;
}

void hook(Mount& m, Ref<Mount> parent, Ref<Dentry> mountpoint) {
  m.parent = std::move(parent);
  m.mountpoint = std::move(mountpoint);
  m.parent->children.emplace_back(&m);
  ++m.mountpoint->mounts;
  table().at[{m.parent.get(), m.mountpoint.get()}] = &m;
  m.attached = true;
}

// The caller holds a reference.
void unhook(Mount& m) {
  table().at.erase({m.parent.get(), m.mountpoint.get()});
  --m.mountpoint->mounts;
  auto& siblings = m.parent->children;
  siblings.erase(std::find(siblings.begin(), siblings.end(), &m));
  m.parent = nullptr;
  m.mountpoint = nullptr;
  m.attached = false;
}

// `top` and all that is mounted below it, parents before children. No recursion: guests can nest deeply.
std::vector<Ref<Mount>> tree_of(Mount& top) {
  std::vector<Ref<Mount>> all{Ref<Mount>(&top)};
  for (size_t i = 0; i < all.size(); ++i) {
    const Mount& m = *all[i];
    all.insert(all.end(), m.children.begin(), m.children.end());
  }
  return all;
}

void unhook_tree(Mount& m) {
  const std::vector<Ref<Mount>> all = tree_of(m);
  for (size_t i = all.size(); i-- > 0;) unhook(*all[i]);
}

}  // namespace

MountNamespace::MountNamespace(Ref<Mount> top, Ref<const UserNamespace> owner, uint64_t number)
    : Namespace(CLONE_NEWNS, std::move(owner), number), root(std::move(top)) {}

MountNamespace::~MountNamespace() {
  const std::vector<Ref<Mount>> all = tree_of(*root);
  for (size_t i = all.size(); i-- > 1;) unhook(*all[i]);
  root->attached = false;
}

bool MountNamespace::contains(const Mount& m) const {
  const Mount* top = &m;
  while (top->parent) top = top->parent.get();
  return top == root.get();
}

bool is_mountpoint(const MountNamespace& ns, const Dentry& d) {
  if (d.mounts == 0) return false;
  return std::any_of(table().at.begin(), table().at.end(), [&](const auto& entry) {
    return entry.first.second == &d && ns.contains(*entry.second);
  });
}

void detach_mounts_on(const Dentry& d) {
  while (d.mounts > 0) {
    const auto it = std::find_if(table().at.begin(), table().at.end(),
                                 [&](const auto& entry) { return entry.first.second == &d; });
    if (it == table().at.end()) return;
    Ref<Mount> m(it->second);
    unhook_tree(*m);
  }
}

MountNamespace* initial_mounts() { return table().initial.get(); }

void unshare_mounts(FsContext& fs, const Ref<const UserNamespace>& owner) {
  const bool less_privileged = owner != fs.mounts->owner_ref();
  std::map<const Mount*, Ref<Mount>> copies;
  for (const Ref<Mount>& m : tree_of(*fs.mounts->root)) {
    auto copy = make_ref<Mount>(m->sb, m->root, m->source, m->flags);
    copy->locked = m->locked || (less_privileged && m->parent);
    copy->locked_flags = m->locked_flags | (less_privileged ? m->flags | MS_NOATIME : 0);
    if (m->parent) hook(*copy, copies.at(m->parent.get()), m->mountpoint);
    copies.emplace(m.get(), std::move(copy));
  }
  Ref<Mount> root = copies.at(fs.mounts->root.get());
  root->attached = true;
  fs.mounts = make_ref<MountNamespace>(std::move(root), owner);
  for (Path* p : {&fs.root, &fs.cwd})
    if (auto it = copies.find(p->mount.get()); it != copies.end()) p->mount = it->second;
}

void enter_mounts(FsContext& fs, Ref<MountNamespace> ns) {
  Path top(ns->root, ns->root->root);
  follow_mounts(top);
  fs.mounts = std::move(ns);
  fs.root = fs.cwd = top;
}

Mount::Mount(Ref<SuperBlock> s, Ref<Dentry> r, std::string src, unsigned long f)
    : id(++table().last_id), sb(std::move(s)), root(std::move(r)), source(std::move(src)), flags(f) {}

bool Mount::read_only() const { return (flags & MS_RDONLY) != 0; }

std::string Mount::options() const {
  std::string o = read_only() ? "ro" : "rw";
  if (flags & MS_NOSUID) o += ",nosuid";
  if (flags & MS_NODEV) o += ",nodev";
  if (flags & MS_NOEXEC) o += ",noexec";
  o += (flags & MS_NOATIME) ? ",noatime" : ",relatime";
  return o;
}

Mount* mounted_on(const Path& p) {
  if (p.dentry->mounts == 0) return nullptr;
  auto it = table().at.find({p.mount.get(), p.dentry.get()});
  return it == table().at.end() ? nullptr : it->second;
}

void follow_mounts(Path& p) {
  while (Mount* m = mounted_on(p)) {
    p.mount = m;
    p.dentry = m->root;
  }
}

std::vector<Mount*> all_mounts(const MountNamespace& ns) {
  std::vector<Mount*> all;
  for (const Ref<Mount>& m : tree_of(*ns.root)) all.push_back(m.get());
  std::sort(all.begin() + 1, all.end(), [](Mount* a, Mount* b) { return a->id < b->id; });
  return all;
}

Result<Path> set_root_mount(Ref<Inode> root, std::string source, unsigned long flags) {
  Ref<SuperBlock> sb(&root->sb());
  auto m = make_ref<Mount>(sb, Dentry::make_root(std::move(root)), std::move(source), flags);
  m->attached = true;
  table().initial = make_ref<MountNamespace>(m, initial_user_ns(), INITIAL_MOUNT_NS_INO);
  return Path(m, m->root);
}

Result<Ref<Mount>> attach_mount(const Path& where, Ref<Mount> m) {
  if (where.dentry->deleted()) return Error{ENOENT};
  // A directory goes on a directory, anything else on something else.
  if (where.dentry->inode()->is_dir() != m->root->inode()->is_dir()) return Error{ENOTDIR};
  Path top = where;
  follow_mounts(top);
  hook(*m, top.mount, top.dentry);
  return m;
}

Result<void> detach_mount(Mount& m, bool lazy) {
  if (!m.attached || !m.parent || m.locked) return Error{EINVAL};
  if (!lazy && (!m.children.empty() || m.ref_count() > 1)) return Error{EBUSY};
  Ref<Mount> keep(&m);
  unhook_tree(m);
  return {};
}

Result<void> move_mount(Mount& m, const Path& where) {
  if (!m.attached || !m.parent || m.locked) return Error{EINVAL};
  if (m.root->inode()->is_dir() != where.dentry->inode()->is_dir()) return Error{EINVAL};
  for (const Mount* p = where.mount.get(); p != nullptr; p = p->parent.get())
    if (p == &m) return Error{ELOOP};
  Ref<Mount> keep(&m);
  unhook(m);
  hook(m, where.mount, where.dentry);
  return {};
}

Result<void> pivot_mounts(MountNamespace& ns, const Path& new_root, const Path& put_old) {
  Mount& m = *new_root.mount;
  if (!m.attached || new_root.dentry != m.root) return Error{EINVAL};
  if (&m == ns.root.get()) return Error{EBUSY};
  if (m.locked) return Error{EINVAL};
  Ref<Mount> old = ns.root, keep(&m);
  unhook(m);
  m.attached = true;
  ns.root = &m;
  hook(*old, put_old.mount, put_old.dentry);
  return {};
}

}  // namespace starry
