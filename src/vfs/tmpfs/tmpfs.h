// tmpfs(5): everything in memory. Directories and attributes are kernel objects, the data of a regular
// file is a host memfd (made by the first write or mapping), so that guests can map it. Also the home
// of memfd_create(2), with its seals.
#pragma once

#include <map>
#include <string>

#include "vfs/regular_file.h"

namespace starry {

void init_tmpfs();  // registers "tmpfs" and "ramfs"

// memfd_create(2): an open file without a name. flags: MFD_ALLOW_SEALING, MFD_NOEXEC_SEAL.
Result<Ref<File>> make_memfd(const std::string& name, unsigned flags, uint32_t uid, uint32_t gid);

// A file of the kernel's own tmpfs that no directory names, for shared memory. `name` is what /proc/PID/maps
// shows.
Result<Ref<File>> make_shmem(const std::string& name, uint32_t uid, uint32_t gid);

class TmpfsSuper final : public SuperBlock {
 public:
  TmpfsSuper(std::string fs_name, uint64_t limit_bytes);
  Result<struct statfs> statfs() override;
  bool keeps_whiteouts() const override { return true; }
  bool has_handles() const override { return true; }
  std::string show_options() const override;

  uint64_t limit, used = 0;  // bytes of file data
  std::string options;       // as given to mount(2)
};

class TmpfsInode final : public DataInode {
 public:
  TmpfsInode(Ref<TmpfsSuper> sb, const NewInode& what);
  ~TmpfsInode() override;

  Result<void> setattr(const SetAttr& a) override;
  Result<Kstat> stat() override;
  Result<Kstat> ownership() override { return attr; }
  Result<std::string> getxattr(const std::string& name) override;
  Result<void> setxattr(const std::string& name, std::string_view value, int flags) override;
  Result<void> removexattr(const std::string& name) override;
  Result<std::vector<std::string>> listxattr() override;

  Result<Ref<Inode>> lookup(std::string_view name) override;
  Result<std::vector<DirEntry>> list() override;
  Result<Ref<Inode>> create(std::string_view name, const NewInode& what) override;
  Result<void> link(std::string_view name, Inode& target) override;
  Result<void> unlink(std::string_view name, Inode& victim) override;
  Result<void> rmdir(std::string_view name, Inode& victim) override;
  Result<void> rename(std::string_view old_name, Inode& what, Inode& new_dir, std::string_view new_name,
                      Inode* target, unsigned flags) override;
  Result<Ref<Inode>> tmpfile(const NewInode& what) override;
  Result<std::string> readlink() override { return target_; }

  Result<size_t> may_write(uint64_t offset, size_t len) override;
  void wrote(uint64_t end) override;
  void was_read() override;
  Result<void> fallocate(int mode, int64_t offset, int64_t len) override;
  Result<int> seals() override;
  Result<void> add_seals(int seals) override;

  void set_seals(int seals) { seals_ = seals; }

 protected:
  Result<Ref<HostData>> open_data(bool write) override;

 private:
  TmpfsSuper& super() const { return static_cast<TmpfsSuper&>(sb()); }
  Result<void> resize(uint64_t size);
  void account(uint64_t bytes);

  std::map<std::string, Ref<TmpfsInode>, std::less<>> entries_;
  std::map<std::string, std::string> xattrs_;
  std::string target_;
  Ref<HostData> data_;      // kept for the inode's life
  uint64_t accounted_ = 0;  // bytes counted in the superblock
  int seals_;               // F_SEAL_*
};

}  // namespace starry
