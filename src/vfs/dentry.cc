#include "vfs/dentry.h"

#include "emulated_kernel/base/log.h"

namespace starry {

// Keeps the most recently used dentries alive, in order of use.
class DentryLru {
 public:
  static constexpr size_t MAX = 32768;

  void touch(Dentry& d) {
    if (d.passing_) return;
    if (d.is_linked()) {
      list_.splice(list_.end(), list_, list_.iterator_to(d));
      return;
    }
    intrusive_ptr_add_ref(&d);
    list_.push_back(d);
    if (list_.size() > MAX) drop(list_.front());
  }
  void drop(Dentry& d) {
    if (!d.is_linked()) return;
    list_.erase(list_.iterator_to(d));
    intrusive_ptr_release(&d);
  }
  // Children keep their parents alive, so one sweep from the newest on may not be enough.
  void shrink() {
    for (bool dropped = true; dropped;) {
      dropped = false;
      for (auto it = list_.begin(); it != list_.end();) {
        Dentry& d = *it++;
        if (d.ref_count() == 1) {
          drop(d);
          dropped = true;
        }
      }
    }
  }

 private:
  boost::intrusive::list<Dentry> list_;
};

static DentryLru& lru() {
  static DentryLru* l = new DentryLru;  // outlives every dentry
  return *l;
}

void dentry_cache_shrink() { lru().shrink(); }

Dentry::Dentry(Ref<Dentry> parent, std::string name, Ref<Inode> inode)
    : parent_(std::move(parent)), name_(std::move(name)), inode_(std::move(inode)) {
  passing_ = (parent_ && parent_->passing_) || (inode_ && !inode_->cache_unused());
}

Dentry::~Dentry() {
  unhash();
  // Let go of the ancestors one by one: a deep tree must not become deep recursion.
  Ref<Dentry> up = std::move(parent_);
  while (up && up->ref_count() == 1) {
    up->unhash();
    Ref<Dentry> next = std::move(up->parent_);
    up = std::move(next);
  }
}

Ref<Dentry> Dentry::make_root(Ref<Inode> inode) {
  return Ref<Dentry>(new Dentry(nullptr, "/", std::move(inode)));
}

Ref<Dentry> Dentry::make_anon(Ref<Inode> inode, std::string name) {
  Ref<Dentry> d(new Dentry(nullptr, std::move(name), std::move(inode)));
  d->anonymous_ = true;
  return d;
}

bool Dentry::is_below(const Dentry& d) const {
  for (const Dentry* p = this; p != nullptr; p = p->parent())
    if (p == &d) return true;
  return false;
}

void Dentry::hash() {
  CHECK(!hashed_ && parent_);
  parent_->children_[name_] = this;
  hashed_ = true;
}

void Dentry::unhash() {
  if (!hashed_) return;
  parent_->children_.erase(name_);
  hashed_ = false;
}

Dentry* Dentry::cached(std::string_view child_name) const {
  auto it = children_.find(child_name);
  return it == children_.end() ? nullptr : it->second;
}

Ref<Dentry> Dentry::add(std::string_view child_name, Ref<Inode> inode) {
  if (Dentry* old = cached(child_name)) {
    Ref<Dentry> keep(old);
    old->unhash();
    lru().drop(*old);
  }
  Ref<Dentry> d(new Dentry(this, std::string(child_name), std::move(inode)));
  d->hash();
  lru().touch(*d);
  return d;
}

Result<Ref<Dentry>> Dentry::lookup(std::string_view child_name) {
  if (child_name.size() > NAME_LEN_MAX) return Error{ENAMETOOLONG};
  if (deleted_) return Error{ENOENT};  // a removed directory
  if (Dentry* d = cached(child_name)) {
    // A mount point stays what it is: what is mounted there covers it anyway.
    bool valid = d->mounts > 0 || (d->negative() ? inode_->cache_negative() : d->inode_->revalidate());
    if (valid) {
      lru().touch(*d);
      return Ref<Dentry>(d);
    }
  }
  Result<Ref<Inode>> found = inode_->lookup(child_name);
  if (!found.ok() && found.code() != ENOENT) return found.error();
  Ref<Inode> inode = found.ok() ? std::move(found).value() : nullptr;
  // A stale name that turns out to mean the same object keeps its dentry.
  if (Dentry* d = cached(child_name); d != nullptr && d->inode() == inode.get()) return Ref<Dentry>(d);
  return add(child_name, std::move(inode));
}

void Dentry::instantiate(Ref<Inode> inode) {
  CHECK(negative());
  inode_ = std::move(inode);
}

void Dentry::remove() {
  Ref<Dentry> keep(this);
  unhash();
  deleted_ = true;
  lru().drop(*this);
}

void Dentry::move(Dentry& new_parent, std::string_view new_name) {
  Ref<Dentry> keep(this);
  if (Dentry* old = new_parent.cached(new_name); old != nullptr && old != this) {
    Ref<Dentry> keep_old(old);
    if (old->negative())
      old->unhash(), lru().drop(*old);
    else
      old->remove();
  }
  unhash();
  parent_ = &new_parent;
  name_ = new_name;
  hash();
  lru().touch(*this);
}

void Dentry::exchange(Dentry& a, Dentry& b) {
  a.unhash();
  b.unhash();
  a.parent_.swap(b.parent_);
  a.name_.swap(b.name_);
  a.hash();
  b.hash();
}

void Dentry::forget_children() {
  std::vector<Ref<Dentry>> all;
  for (auto& [n, d] : children_) all.emplace_back(d);
  for (auto& d : all) {
    d->forget_children();
    if (d->ref_count() == 2 && d->is_linked()) {  // the cache and `all`
      d->unhash();
      lru().drop(*d);
    }
  }
}

}  // namespace starry
