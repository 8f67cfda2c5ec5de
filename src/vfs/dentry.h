// The name cache (struct dentry): one object per name in use, positive or negative. It makes path walks
// cheap and gives open files, working directories and mounts a place that follows renames.
//
// A dentry holds its parent; the parent only knows its children. Dentries that nobody holds stay in an
// LRU list of bounded length.
#pragma once

#include <boost/intrusive/list.hpp>
#include <string>
#include <string_view>
#include <unordered_map>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/result.h"
#include "vfs/inode.h"

namespace starry {

class Dentry final
    : public RefCounted,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::safe_link>> {
 public:
  static Ref<Dentry> make_root(Ref<Inode> inode);
  // A place without a parent: pipes, sockets, memfds, O_TMPFILE. `name` is what d_path shows.
  static Ref<Dentry> make_anon(Ref<Inode> inode, std::string name);
  ~Dentry() override;

  const std::string& name() const { return name_; }
  Dentry* parent() const { return parent_.get(); }  // null for roots and anonymous dentries
  Inode* inode() const { return inode_.get(); }     // null: negative (no such file)
  bool negative() const { return !inode_; }
  bool anonymous() const { return anonymous_; }
  // True once the name was removed (or replaced) while somebody still holds the dentry.
  bool deleted() const { return deleted_; }
  // True if `this` is `d` or lies below it.
  bool is_below(const Dentry& d) const;

  // The child as cached or looked up in the file system; negative if it does not exist. Errors other
  // than ENOENT are passed on. ENAMETOOLONG.
  Result<Ref<Dentry>> lookup(std::string_view child_name);
  // The child if it is cached; may be null.
  Dentry* cached(std::string_view child_name) const;
  // A new cached child; replaces what was cached under that name.
  Ref<Dentry> add(std::string_view child_name, Ref<Inode> inode);

  // After the file system did it:
  void instantiate(Ref<Inode> inode);  // negative -> positive (create, link, mkdir)
  void remove();                       // unlinked: leaves the cache, stays usable for its holders
  void move(Dentry& new_parent, std::string_view new_name);  // renamed; drops what was there
  static void exchange(Dentry& a, Dentry& b);
  // Forgets cached children that nobody uses (after the file system changed behind the cache).
  void forget_children();

  int mounts = 0;  // mounts that have this dentry as mount point

 private:
  Dentry(Ref<Dentry> parent, std::string name, Ref<Inode> inode);
  void hash();
  void unhash();

  Ref<Dentry> parent_;
  std::string name_;
  Ref<Inode> inode_;
  std::unordered_map<std::string_view, Dentry*> children_;  // keys view the children's name_
  bool hashed_ = false, deleted_ = false, anonymous_ = false;
  bool passing_ = false;  // goes with its last user (Inode::cache_unused)
  friend class DentryLru;
};

// Drops every dentry that only the cache holds. For tests and for unmounting.
void dentry_cache_shrink();

inline constexpr size_t NAME_LEN_MAX = 255;   // NAME_MAX
inline constexpr size_t PATH_LEN_MAX = 4096;  // PATH_MAX, with the NUL

}  // namespace starry
