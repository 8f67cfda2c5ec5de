// Mount trees (struct mount, mount(2), mount_namespaces(7)).
#pragma once

#include <string>
#include <vector>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/result.h"
#include "emulated_kernel/task/namespace.h"
#include "vfs/dentry.h"
#include "vfs/inode.h"
#include "vfs/path.h"

namespace starry {

class FsContext;

class Mount final : public RefCounted {
 public:
  Mount(Ref<SuperBlock> sb, Ref<Dentry> root, std::string source, unsigned long flags);

  const int id;  // mnt_id of statx(2), first field of mountinfo
  const Ref<SuperBlock> sb;
  const Ref<Dentry> root;  // of this mount: not the file system's root for bind mounts
  std::string source;
  unsigned long flags;     // MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME
  Ref<Mount> parent;       // null for the root mount and after umount
  Ref<Dentry> mountpoint;  // in parent
  std::vector<Ref<Mount>> children;
  bool attached = false;
  // In the copy of the tree that a less privileged user namespace got: neither may it be taken away, which
  // would show what is below, nor may these flags change (mount_namespaces(7)).
  bool locked = false;
  unsigned long locked_flags = 0;

  bool read_only() const;  // MS_RDONLY here
  // "rw,nosuid,nodev" and the superblock's options, as /proc/mounts shows them.
  std::string options() const;
};

// A mount tree of its own (CLONE_NEWNS). Propagation is always private: what is mounted in one namespace is
// not seen in the others.
class MountNamespace final : public Namespace {
 public:
  MountNamespace(Ref<Mount> top, Ref<const UserNamespace> owner, uint64_t number = 0);
  ~MountNamespace() override;  // takes the tree apart
  bool contains(const Mount& m) const;

  Ref<Mount> root;
};
// The first one, in which programs begin; null before vfs_mount_root.
MountNamespace* initial_mounts();
// Is something mounted on `d` in this namespace?
bool is_mountpoint(const MountNamespace& ns, const Dentry& d);
// `d` goes away: so does what other namespaces have mounted there.
void detach_mounts_on(const Dentry& d);
// Gives `fs` a copy of its namespace that `owner` rules over, and moves its directories there.
void unshare_mounts(FsContext& fs, const Ref<const UserNamespace>& owner);
// Moves `fs` to the root directory of `ns` (setns(2)).
void enter_mounts(FsContext& fs, Ref<MountNamespace> ns);

// The mount on `p`, topmost, or null.
Mount* mounted_on(const Path& p);
// Steps from a mount point into what is mounted there, as often as needed.
void follow_mounts(Path& p);

// All mounts of a namespace, parents before children, in order of mounting: for /proc/self/mountinfo.
std::vector<Mount*> all_mounts(const MountNamespace& ns);

// Attaching and detaching; permission and flag checks are the caller's (vfs_mount).
Result<Path> set_root_mount(Ref<Inode> root, std::string source, unsigned long flags);
Result<Ref<Mount>> attach_mount(const Path& where, Ref<Mount> m);
Result<void> detach_mount(Mount& m, bool lazy);  // EBUSY, EINVAL
Result<void> move_mount(Mount& m, const Path& where);
// Makes `new_root` (the root of a mount) the root of `ns` and puts the old root at `put_old`.
Result<void> pivot_mounts(MountNamespace& ns, const Path& new_root, const Path& put_old);

}  // namespace starry
