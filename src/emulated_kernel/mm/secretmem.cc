#include "emulated_kernel/mm/secretmem.h"

#include <sys/mman.h>

#include <algorithm>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/task.h"
#include "vfs/inode.h"
#include "vfs/ops.h"
#include "vfs/tmpfs/tmpfs.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

class SecretInode final : public Inode {
 public:
  explicit SecretInode(Ref<File> pages)
      : Inode(Ref<SuperBlock>(&vfs_inode(*pages)->sb()), S_IFREG | 0600), pages_(std::move(pages)) {}

  Result<Kstat> stat() override {
    Kstat st = attr;
    st.size = TRY(pages_->stat()).size;
    return st;
  }
  Result<void> setattr(const SetAttr& a) override {
    if ((a.valid & SetAttr::SIZE) != 0) {  // is given once
      if (TRY(pages_->stat()).size != 0) return Error{EINVAL};
      TRY(pages_->truncate(static_cast<int64_t>(a.size)));
    }
    apply_attr(a);
    return {};
  }
  Result<Ref<File>> open(const Path&, int) override { return Error{ENXIO}; }
  File& pages() { return *pages_; }

 private:
  const Ref<File> pages_;
};

class SecretFile final : public File {
 public:
  explicit SecretFile(Ref<SecretInode> inode) : File(O_RDWR | KERNEL_O_LARGEFILE), inode_(std::move(inode)) {
    path = std::make_shared<const Path>(vfs_anon_path(inode_, NAME));
  }
  bool can_read() const override { return false; }
  bool can_write() const override { return false; }
  bool secret() const override { return true; }
  Result<Kstat> stat() override { return inode_->stat(); }
  Result<MapBacking> map_backing(bool shared, int prot) override {
    if (!shared) return Error{EINVAL};
    return inode_->pages().map_backing(shared, prot);
  }
  Result<void> truncate(int64_t size) override {
    SetAttr a;
    a.valid = SetAttr::SIZE;
    a.size = static_cast<uint64_t>(size);
    return inode_->setattr(a);
  }
  Result<void> fallocate(int, int64_t, int64_t) override { return Error{EOPNOTSUPP}; }
  std::string describe() const override { return NAME; }

 private:
  static constexpr const char* NAME = "/secretmem (deleted)";
  const Ref<SecretInode> inode_;
};

}  // namespace

Result<Ref<File>> make_secret_memory(Task& t) {
  auto inode = make_ref<SecretInode>(TRY(make_shmem("secretmem", 0, 0)));
  inode->attr.uid = t.cred->fsuid;
  inode->attr.gid = t.cred->fsgid;
  return Ref<File>(make_ref<SecretFile>(std::move(inode)));
}

bool holds_secrets(const Mm& mm, uint64_t addr, uint64_t n) {
  const auto& vmas = mm.vmas();
  auto it = vmas.upper_bound(addr);
  if (it != vmas.begin()) --it;
  return std::any_of(it, vmas.lower_bound(addr + n), [&](const auto& each) {
    const Vma& v = each.second;
    return v.end > addr && v.file && v.file->secret();
  });
}

}  // namespace starry
