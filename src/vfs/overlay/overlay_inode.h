// Inodes of the overlay. See overlay.h for the rules.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "vfs/host_dir.h"
#include "vfs/overlay/meta.h"
#include "vfs/overlay/overlay.h"
#include "vfs/regular_file.h"

namespace starry {

class OverlayInode;

class OverlaySuper final : public SuperBlock {
 public:
  OverlaySuper();
  Result<struct statfs> statfs() override;
  Result<void> sync() override;

  // st_ino of a host object: its number, with the host device folded into the upper bits.
  uint64_t map_ino(uint64_t host_dev, uint64_t host_ino);
  std::string work_name() { return "w" + std::to_string(++last_work_); }
  // True for a directory of a lower layer that must look empty: the host's /proc, /sys, /dev and
  // whatever else is a pseudo file system.
  bool looks_empty(HostDir& parent, std::string_view name, const Kstat& st) const;

  Ref<HostDir> base, upper, work;   // DIR, DIR/upper, DIR/work
  Kstat base_stat;
  bool lower_is_host_root = false;  // of the topmost lower layer
  HostDir* top_lower = nullptr;
  std::unique_ptr<OverlayMeta> meta;
  std::map<std::pair<uint64_t, uint64_t>, OverlayInode*> linked;  // upper files with several names
  uint32_t host_uid = 0, host_gid = 0;

 private:
  std::vector<uint64_t> devs_;
  uint64_t last_work_ = 0;
};

class OverlayInode final : public DataInode {
 public:
  OverlayInode(Ref<OverlaySuper> fs, const Kstat& st);
  ~OverlayInode() override;

  Result<Kstat> stat() override;
  Result<void> setattr(const SetAttr& a) override;
  Result<std::string> getxattr(const std::string& name) override;
  Result<void> setxattr(const std::string& name, std::string_view value, int flags) override;
  Result<void> removexattr(const std::string& name) override;
  Result<std::vector<std::string>> listxattr() override;
  Result<std::string> readlink() override;

  Result<Ref<Inode>> lookup(std::string_view name) override;
  Result<std::vector<DirEntry>> list() override;
  Result<Ref<Inode>> create(std::string_view name, const NewInode& what) override;
  Result<void> link(std::string_view name, Inode& target) override;
  Result<void> unlink(std::string_view name, Inode& victim) override;
  Result<void> rmdir(std::string_view name, Inode& victim) override;
  Result<void> rename(std::string_view old_name, Inode& what, Inode& new_dir, std::string_view new_name,
                      Inode* target, unsigned flags) override;
  Result<Ref<Inode>> tmpfile(const NewInode& what) override;

  void wrote(uint64_t) override { stale_ = true; }
  void was_read() override;
  void mapped_writable() override { mapped_ = true; }

  // A name of the object: entry `name` of `dir`. Directories have one; files may have several, of
  // which those are known that were looked up. None: the root, or removed.
  struct Name {
    Ref<OverlayInode> dir;
    std::string name;
  };

 protected:
  Result<Ref<HostData>> open_data(bool write) override;

 private:
  friend Result<Ref<Inode>> make_overlay(const OverlayConfig&);
  friend Result<std::vector<std::string>> overlay_changes(Inode&);

  // One host object: entry `name` of directory `fd`, or `fd` itself if name is empty.
  struct Place {
    int fd;
    std::string name;
  };

  OverlaySuper& fs() const { return static_cast<OverlaySuper&>(sb()); }
  std::string rel() const;                         // path from the root, "a/b"; "" for the root
  std::string rel_of(std::string_view child) const;
  Result<Place> upper_place();                     // ESTALE when all names are gone
  Result<Place> lower_place();
  Result<Place> place() { return in_upper_ ? upper_place() : lower_place(); }
  Result<Ref<HostData>> orphan_data();

  // lookup.cc
  struct Found;
  Result<Found> find(std::string_view name);
  Result<bool> find_lower(std::string_view name, Found& f);
  Result<Ref<Inode>> make_child(std::string_view name, Found f);
  Result<bool> lower_has(std::string_view name);   // and not hidden
  Result<void> refresh();
  void take_attr(const Kstat& host, const MetaAttr* meta);
  void add_name(OverlayInode& dir, std::string_view name);
  void drop_name(const OverlayInode& dir, std::string_view name);

  // copy_up.cc
  Result<void> copy_up(bool with_data = true);
  Result<void> copy_up_file(int up, const std::string& name, const Kstat& st, bool with_data);
  Result<void> copy_up_tree(uint64_t& budget);
  Result<void> dir_for_change() { return copy_up(); }
  MetaAttr meta_attr() const;
  Result<void> record_attr(const std::string& path, bool is_new, const Kstat& host);

  // modify.cc
  Result<Kstat> make_host_object(int up, const std::string& name, const NewInode& what);
  Result<void> keep_orphan();
  Result<void> remove_name(std::string_view name, OverlayInode& victim);
  Result<void> touch_dir();

  bool in_upper_ = false;
  bool removed_ = false;             // no name left
  bool stale_ = false, mapped_ = false;
  std::vector<Name> names_;
  Ref<HostDir> upper_dir_;           // directories
  std::vector<Ref<HostDir>> lower_dirs_;
  Ref<HostDir> lower_parent_;        // where the lower object is: kept when it is renamed or removed above
  std::string lower_name_;
  uint32_t lower_nlink_ = 1;
  std::pair<uint64_t, uint64_t> host_id_{};  // upper (dev, ino) if registered in fs().linked
  Ref<HostData> orphan_;             // the data of a removed file that is still open
};

}  // namespace starry
