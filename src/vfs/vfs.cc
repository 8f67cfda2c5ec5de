// The face of the VFS to the rest of the kernel: mounting and opening on behalf of tasks.
#include "vfs/vfs.h"

#include <fcntl.h>
#include <sys/mount.h>

#include "emulated_kernel/task/task.h"
#include "vfs/dentry.h"
#include "vfs/fs_context.h"
#include "vfs/mount.h"
#include "vfs/ops.h"
#include "vfs/permission.h"
#include "vfs/regular_file.h"

namespace starry {

namespace {

// The kernel's own credentials, for setting up.
const Cred& kernel_cred() {
  static const Ref<Cred> cred = [] {
    auto c = make_ref<Cred>();
    c->uid = c->euid = c->suid = c->fsuid = c->gid = c->egid = c->sgid = c->fsgid = 0;
    c->cap_permitted = c->cap_effective = CAP_FULL;
    return c;
  }();
  return *cred;
}

Result<void> root_context(FsContext& fs) {
  if (initial_mounts() == nullptr) return Error{ENOENT};
  fs.mounts = initial_mounts();
  fs.root = fs.cwd = Path(fs.mounts->root, fs.mounts->root->root);
  follow_mounts(fs.cwd);
  return {};
}

// mkdir -p as the kernel. A last component that shall carry a file becomes an empty file.
Result<Path> make_mountpoint(const Caller& c, std::string_view target, bool dir) {
  const Path& root = c.fs.root;
  for (size_t slash = target.find('/', 1);; slash = target.find('/', slash + 1)) {
    std::string_view part = target.substr(0, slash);
    Result<Path> p = walk_path(c, root, part, WALK_FOLLOW);
    if (!p.ok() && p.code() != ENOENT) return p.error();
    const bool last = slash == std::string_view::npos;
    if (!p.ok())
      p = last && !dir ? mknod_at(c, root, part, S_IFREG | 0644, 0) : mkdir_at(c, root, part, 0755);
    if (last || !p.ok()) return p;
  }
}

}  // namespace

Result<Path> vfs_mount_root(Ref<Inode> root, std::string source, unsigned long flags) {
  return set_root_mount(std::move(root), std::move(source), flags);
}

Result<void> vfs_mount_inode(Ref<Inode> root, std::string source, std::string_view target,
                             unsigned long flags, bool make_dirs) {
  auto fs = make_ref<FsContext>();
  TRY(root_context(*fs));
  Caller c(kernel_cred(), *fs);
  Path where = make_dirs ? TRY(make_mountpoint(c, target, root->is_dir()))
                         : TRY(walk_path(c, fs->root, target, WALK_FOLLOW));
  Ref<SuperBlock> sb(&root->sb());
  TRY(attach_mount(where, make_ref<Mount>(sb, Dentry::make_root(std::move(root)), std::move(source), flags)));
  return {};
}

Result<void> vfs_mount(std::string_view fs_name, std::string source, std::string_view target,
                       unsigned long flags, std::string data, bool make_dirs) {
  const FileSystemType* type = find_filesystem(fs_name);
  if (type == nullptr) return Error{ENODEV};
  Ref<Inode> root = TRY(type->mount({source, std::move(data), flags}));
  return vfs_mount_inode(std::move(root), std::move(source), target, flags, make_dirs);
}

Result<Ref<FsContext>> vfs_initial_context(std::string_view cwd) {
  auto fs = make_ref<FsContext>();
  TRY(root_context(*fs));
  fs->cwd = TRY(walk_path(Caller(kernel_cred(), *fs), fs->cwd, cwd, WALK_FOLLOW | WALK_DIRECTORY));
  return fs;
}

Result<Path> vfs_start(Task& t, int dirfd, std::string_view path) {
  if (dirfd == AT_FDCWD || (!path.empty() && path[0] == '/')) return t.fs->cwd;
  return vfs_file_path(TRY(get_file(t, dirfd)));
}

Result<Path> vfs_lookup(Task& t, int dirfd, std::string_view path, unsigned walk_flags) {
  return walk_path(Caller(t), TRY(vfs_start(t, dirfd, path)), path, walk_flags);
}

Result<Ref<File>> vfs_open(Task& t, int dirfd, std::string_view path, int flags, uint32_t mode) {
  return open_at(Caller(t), TRY(vfs_start(t, dirfd, path)), path, {flags, mode, 0});
}

Result<Ref<File>> vfs_open_exec(Task& t, int dirfd, std::string_view path, int at_flags) {
  unsigned walk = (at_flags & AT_SYMLINK_NOFOLLOW) ? 0u : static_cast<unsigned>(WALK_FOLLOW);
  if (at_flags & AT_EMPTY_PATH) walk |= WALK_EMPTY;
  Path p = TRY(vfs_lookup(t, dirfd, path, walk));
  Inode& inode = *p.dentry->inode();
  if (inode.is_symlink()) return Error{ELOOP};
  if (!inode.is_regular() || (p.mount->flags & MS_NOEXEC)) return Error{EACCES};
  TRY(inode.permission(*t.cred, MAY_EXEC));
  if (inode.writers > 0) return Error{ETXTBSY};
  Ref<File> f = TRY(inode.open(p, O_RDONLY));
  if (!f->path) f->path = std::make_shared<const Path>(p);
  if (auto* program = dynamic_cast<RegularFile*>(f.get())) program->deny_writers();
  return f;
}

std::string vfs_file_name(Task& t, File& f) {
  return f.path ? vfs_path_name(*f.path, t.fs->root) : f.describe();
}

Result<Path> vfs_bind_unix(Task& t, std::string_view path, uint32_t mode, UnixBinding* owner) {
  Result<Path> p = mknod_at(Caller(t), t.fs->cwd, path, S_IFSOCK | (mode & 07777), 0);
  if (!p.ok()) return Error{p.code() == EEXIST ? EADDRINUSE : p.code()};
  p->dentry->inode()->unix_binding = owner;
  return p;
}

void vfs_unbind_unix(const Path& p) { p.dentry->inode()->unix_binding = nullptr; }

Result<UnixBinding*> vfs_find_unix(Task& t, std::string_view path) {
  Path p = TRY(walk_path(Caller(t), t.fs->cwd, path, WALK_FOLLOW));
  TRY(path_permission(p, *t.cred, MAY_WRITE));
  Inode& inode = *p.dentry->inode();
  if (inode.type() != S_IFSOCK || inode.unix_binding == nullptr) return Error{ECONNREFUSED};
  return inode.unix_binding;
}

}  // namespace starry
