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
  bool has_handles() const override { return true; }

  // st_ino of a host object: its number, with the host device folded into the upper bits.
  uint64_t map_ino(uint64_t host_dev, uint64_t host_ino);
  std::string work_name() { return "w" + std::to_string(++last_work_); }
  // True for a directory of a lower layer that must look empty: the host's /proc, /sys, /dev and
  // whatever else is a pseudo file system.
  bool looks_empty(HostDir& parent, std::string_view name, const Kstat& st) const;

  Ref<HostDir> base, upper, work;  // DIR, DIR/upper, DIR/work
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
  Result<Kstat> ownership() override { return attr; }
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
  bool stays_open() const override { return !in_upper_; }  // lower layers do not change
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
  std::string rel() const;  // path from the root, "a/b"; "" for the root
  std::string rel_of(std::string_view child) const;
  Result<Place> upper_place();  // ESTALE when all names are gone
  Result<Place> lower_place();
  Result<Place> place() { return in_upper_ ? upper_place() : lower_place(); }
  bool placeholder() const { return !is_regular() && !is_dir() && !is_symlink(); }

  // lookup.cc
  struct Found;
  Result<Found> find(const std::string& name);
  Result<void> find_lower(const std::string& name, Found& f);
  Ref<OverlayInode> make_child(const std::string& name, Found f);
  Result<bool> lower_has(const std::string& name);  // and not hidden
  bool merged() const { return lower_dirs_.size() + (upper_dir_ ? 1 : 0) > 1; }
  void take_attr(const Kstat& host);  // what the host object knows better than we
  void count_subdirectories();        // of a merged directory: its link count
  void entries_changed(bool directories);
  void add_name(OverlayInode& dir, std::string_view name);
  void drop_name(OverlayInode& dir, std::string_view name);

  // copy_up.cc
  Result<void> copy_up(bool with_data = true);
  Result<void> copy_up_file(int up, const std::string& name, bool with_data);
  Result<void> copy_up_tree(int& entries, uint64_t& bytes);
  Result<void> copy_data(int to);
  Result<void> restore_times(const Place& p, const Kstat& st);

  // modify.cc
  Result<void> make_host_object(int up, const std::string& name, const NewInode& what);
  Result<void> prepare_rename(OverlayInode& dir, const std::string& name, bool* lower);
  Result<void> hold_data();
  Result<void> remove_entry(std::string_view name, OverlayInode& victim);
  Result<void> touch_dir();

  // attr.cc
  Result<HostFd> open_node();
  Result<void> record(const std::string& path, bool is_new, const Kstat& host, uint64_t keep_ino);

  bool in_upper_ = false;
  bool removed_ = false;   // no name left (or, O_TMPFILE, none yet)
  uint64_t kept_ino_ = 0;  // the journal's inode number: that of before the copy-up
  bool stale_ = false, mapped_ = false;
  std::vector<Name> names_;
  std::unordered_map<std::string, OverlayInode*> children_;  // those that exist as objects
  Ref<HostDir> upper_dir_;                                   // directories
  std::vector<Ref<HostDir>> lower_dirs_;
  Ref<HostDir> lower_parent_;  // where the lower object is: kept when it is renamed or removed above
  std::string lower_name_;
  uint32_t lower_nlink_ = 1;
  uint64_t lower_size_ = 0, lower_blocks_ = 0;
  int64_t subdirectories_ = -1;              // of a merged directory; -1: to be counted
  std::pair<uint64_t, uint64_t> host_id_{};  // upper (dev, ino) if registered in fs().linked
  Ref<HostData> orphan_;                     // the data of a removed file that is still open
};

}  // namespace starry
