// Places of open files: vfs_file_path() and friends. Files without a path get an anonymous one, so that
// /proc/self/fd/N can be followed, opened and stat'ed like anything else.
#include "netstack/socket.h"
#include "vfs/dentry.h"
#include "vfs/mount.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

constexpr const char* PROTOCOL_ATTRIBUTE = "system.sockprotoname";

// Stands for a file that no file system knows: a pipe end, a socket, an eventfd.
class OpenFileInode final : public Inode {
 public:
  OpenFileInode(Ref<SuperBlock> s, Ref<File> file, const Kstat& st)
      : Inode(std::move(s), st.mode, st.ino), file_(std::move(file)) {
    attr = st;
  }
  Result<Kstat> stat() override { return file_->stat(); }
  Result<void> setattr(const SetAttr& a) override { return file_->setattr(a); }
  // sockfs has one attribute, the name of the protocol: lsof(8) asks for it.
  Result<std::string> getxattr(const std::string& name) override {
    const std::string protocol = socket_protocol_name(*file_);
    if (protocol.empty() || name != PROTOCOL_ATTRIBUTE) return Error{EOPNOTSUPP};
    return protocol + '\0';
  }
  Result<std::vector<std::string>> listxattr() override {
    if (socket_protocol_name(*file_).empty()) return std::vector<std::string>{};
    return std::vector<std::string>{PROTOCOL_ATTRIBUTE};
  }
  Result<Ref<File>> open(const Path&, int flags) override { return file_->reopen(flags); }

 private:
  Ref<File> file_;
};

const Ref<Mount>& anon_mount() {
  static const Ref<Mount> mount = [] {
    constexpr uint64_t ANON_INODE_FS_MAGIC_NR = 0x09041934;
    auto sb = make_ref<SuperBlock>("anon_inodefs", ANON_INODE_FS_MAGIC_NR);
    auto root = Dentry::make_root(make_ref<Inode>(sb, S_IFDIR | 0555));
    return make_ref<Mount>(sb, root, "none", 0);
  }();
  return mount;
}

}  // namespace

Path vfs_anon_path(Ref<Inode> inode, std::string name) {
  return Path(anon_mount(), Dentry::make_anon(std::move(inode), std::move(name)));
}

Path vfs_file_path(const Ref<File>& f) {
  if (f->path) return *f->path;
  Result<Kstat> st = f->stat();
  return vfs_anon_path(make_ref<OpenFileInode>(anon_mount()->sb, f, st.ok() ? *st : Kstat{}), f->describe());
}

Inode* vfs_inode(const File& f) { return f.path ? f.path->dentry->inode() : nullptr; }

Result<Kstat> vfs_file_stat(File& f) { return f.path ? f.path->dentry->inode()->stat() : f.stat(); }

std::string vfs_path_name(const Path& p, const Path& root) {
  const Dentry* d = p.dentry.get();
  if (d->anonymous()) return d->name();
  const Mount* m = p.mount.get();
  std::string name;
  bool reachable = true;
  while (d != root.dentry.get() || m != root.mount.get()) {
    if (d == m->root.get()) {
      if (!m->parent) {
        reachable = m->attached && !root.mount;
        break;
      }
      d = m->mountpoint.get();
      m = m->parent.get();
      continue;
    }
    if (d->parent() == nullptr) break;
    name.insert(0, "/" + d->name());
    d = d->parent();
  }
  if (name.empty()) name = "/";
  if (!reachable) name.insert(0, "(unreachable)");
  if (p.dentry->deleted()) name += " (deleted)";
  return name;
}

}  // namespace starry
