#include "vfs/devfs/devfs.h"

#include <sys/sysmacros.h>

#include "vfs/devfs/dev_memory.h"
#include "vfs/tmpfs/tmpfs.h"

namespace starry {

namespace {

constexpr unsigned MEM_MAJOR = 1;

Result<void> add(Inode& dir, std::string_view name, uint32_t mode, uint64_t rdev, std::string target = {}) {
  NewInode what;
  what.mode = mode;
  what.rdev = rdev;
  what.target = std::move(target);
  TRY(dir.create(name, what));
  return {};
}

// The one instance of devtmpfs, shared by all its mounts.
Result<Ref<Inode>> mount_devtmpfs() {
  static Ref<Inode> root;
  if (root) return root;
  const Ref<TmpfsSuper> sb = make_ref<TmpfsSuper>("devtmpfs", 64ULL << 20);
  sb->options = ",size=65536k,mode=755";
  NewInode top;
  top.mode = S_IFDIR | 0755;
  const Ref<Inode> dev = make_ref<TmpfsInode>(sb, top);
#define DEV_MEMORY(name, minor, mode, factory) \
  TRY(add(*dev, name, S_IFCHR | (mode), makedev(MEM_MAJOR, minor)));
#define DEV_NODE(name, major, minor, mode) TRY(add(*dev, name, S_IFCHR | (mode), makedev(major, minor)));
#define DEV_LINK(name, target) TRY(add(*dev, name, S_IFLNK | 0777, 0, target));
#define DEV_DIR(name, mode) TRY(add(*dev, name, S_IFDIR | (mode), 0));
#include "vfs/devfs/devices.def"
#include "vfs/devfs/devices_undef.h"
  root = dev;
  return root;
}

}  // namespace

void init_devfs() {
  register_filesystem(
      {.name = "devtmpfs", .mount = [](const MountArgs&) -> Result<Ref<Inode>> { return mount_devtmpfs(); }});
#define DEV_MEMORY(name, minor, mode, factory) register_chrdev(MEM_MAJOR, minor, factory);
#define DEV_NODE(name, major, minor, mode)
#define DEV_LINK(name, target)
#define DEV_DIR(name, mode)
#include "vfs/devfs/devices.def"
#include "vfs/devfs/devices_undef.h"
}

}  // namespace starry
