#include "vfs/hostdir/hostdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "vfs/host_dir.h"
#include "vfs/regular_file.h"

namespace starry {

namespace {

class HostdirInode;

class HostdirSuper final : public SuperBlock {
 public:
  explicit HostdirSuper(const HostDirConfig& c) : SuperBlock("hostdir", 0), config(c) {
    std::tie(host_uid, host_gid) = host_files().owner();
  }
  Result<struct statfs> statfs() override { return host_files().statfs(top->fd().value()); }
  Result<void> sync() override { return host_files().syncfs(top->fd().value()); }
  bool has_handles() const override { return true; }

  const HostDirConfig config;
  uint32_t host_uid, host_gid;
  Ref<HostDir> top;
  std::map<std::pair<uint64_t, uint64_t>, HostdirInode*> inodes;  // by host dev, ino
};

class HostdirInode final : public DataInode {
 public:
  HostdirInode(Ref<HostdirSuper> s, const Kstat& host, Ref<HostDir> parent, std::string name)
      : DataInode(s, host.mode, host.ino),
        id_{host.dev, host.ino},
        parent_(std::move(parent)),
        name_(std::move(name)) {
    if (is_dir()) self_ = parent_ ? make_ref<HostDir>(parent_, name_, host.dev) : s->top;
    s->inodes[id_] = this;
    show(host);
  }
  ~HostdirInode() override { fs().inodes.erase(id_); }

  Result<Kstat> stat() override {
    Result<Kstat> st = current() != nullptr ? host_files().stat(current()->fd()) : stat_by_name();
    if (!st.ok()) return st.error();
    show(*st);
    return attr;
  }

  // The host may have changed: always look again. The same object comes back as the same inode.
  bool revalidate() override { return false; }
  bool cache_negative() const override { return false; }

  Result<Ref<Inode>> lookup(std::string_view name) override {
    std::string n(name);
    int dir = TRY(self_->fd());
    Kstat st = TRY(host_files().stat(dir, n));
    auto it = fs().inodes.find({st.dev, st.ino});
    if (it != fs().inodes.end() && it->second->type() == (st.mode & S_IFMT)) {
      it->second->found_at(self_, n);
      return Ref<Inode>(it->second);
    }
    return Ref<Inode>(make_ref<HostdirInode>(Ref<HostdirSuper>(&fs()), st, self_, n));
  }

  Result<std::vector<DirEntry>> list() override {
    int dir = TRY(self_->fd());
    std::vector<DirEntry> out;
    for (HostDirEntry& e : TRY(host_files().list(dir))) out.push_back({std::move(e.name), e.ino, e.type});
    return out;
  }

  Result<Ref<Inode>> create(std::string_view name, const NewInode& what) override {
    std::string n(name);
    int dir = TRY(self_->fd());
    const uint32_t perm = what.mode & 01777;
    switch (what.mode & S_IFMT) {
      case S_IFDIR:
        TRY(host_files().mkdir(dir, n, perm));
        TRY(host_files().chmod(dir, n, perm));
        break;
      case S_IFLNK:
        TRY(host_files().symlink(what.target, dir, n));
        break;
      case S_IFREG: {
        // Made with owner access so that it can be opened for writing whatever its mode.
        HostFd fd(TRY(host_files().open(dir, n, O_RDWR | O_CREAT | O_EXCL, perm | 0600)));
        TRY(host_files().chmod(fd.get(), {}, perm));
        break;
      }
      default:
        return Error{EPERM};
    }
    return lookup(name);
  }

  Result<void> link(std::string_view name, Inode& target) override {
    auto& t = static_cast<HostdirInode&>(target);
    int from = TRY(t.parent_->fd()), to = TRY(self_->fd());
    return host_files().link(from, t.name_, to, std::string(name));
  }
  Result<void> unlink(std::string_view name, Inode&) override {
    return host_files().unlink(TRY(self_->fd()), std::string(name));
  }
  Result<void> rmdir(std::string_view name, Inode&) override {
    return host_files().rmdir(TRY(self_->fd()), std::string(name));
  }
  Result<void> rename(std::string_view old_name, Inode& what, Inode& new_dir, std::string_view new_name,
                      Inode*, unsigned flags) override {
    auto& to = static_cast<HostdirInode&>(new_dir);
    int from_fd = TRY(self_->fd()), to_fd = TRY(to.self_->fd());
    TRY(host_files().rename(from_fd, std::string(old_name), to_fd, std::string(new_name), flags));
    static_cast<HostdirInode&>(what).found_at(to.self_, std::string(new_name));
    return {};
  }

  Result<std::string> readlink() override { return host_files().readlink(TRY(parent_->fd()), name_); }

  Result<void> setattr(const SetAttr& a) override {
    if (a.valid & SetAttr::SIZE) {
      Ref<HostData> d = TRY(data(true));
      TRY(host_files().truncate(d->fd(), a.size));
    }
    HostFd node(TRY(open_node()));
    if (a.valid & (SetAttr::UID | SetAttr::GID)) {
      uint32_t uid = ~0u, gid = ~0u;
      if (a.valid & SetAttr::UID) uid = a.uid == fs().config.guest_uid ? fs().host_uid : a.uid;
      if (a.valid & SetAttr::GID) gid = a.gid == fs().config.guest_gid ? fs().host_gid : a.gid;
      TRY(host_files().chown(node.get(), {}, uid, gid));
    }
    if (a.valid & SetAttr::MODE) {
      if (a.mode & (S_ISUID | S_ISGID)) return Error{EPERM};  // not on the host's behalf
      TRY(host_files().chmod(node.get(), {}, a.mode));
    }
    if (a.valid & (SetAttr::ATIME | SetAttr::MTIME)) {
      const timespec omit{0, UTIME_OMIT};
      const timespec times[2] = {(a.valid & SetAttr::ATIME) ? a.atime : omit,
                                 (a.valid & SetAttr::MTIME) ? a.mtime : omit};
      int dir = is_symlink() ? TRY(parent_->fd()) : node.get();
      TRY(host_files().utimens(dir, is_symlink() ? name_ : std::string(), times));
    }
    return {};
  }

  Result<std::string> getxattr(const std::string& name) override {
    HostFd node(TRY(open_node()));
    return host_files().getxattr(node.get(), name);
  }
  Result<void> setxattr(const std::string& name, std::string_view value, int flags) override {
    if (!name.starts_with("user.")) return Error{EOPNOTSUPP};  // the host's kernel acts on others
    HostFd node(TRY(open_node()));
    return host_files().setxattr(node.get(), name, value, flags);
  }
  Result<void> removexattr(const std::string& name) override {
    HostFd node(TRY(open_node()));
    return host_files().removexattr(node.get(), name);
  }
  Result<std::vector<std::string>> listxattr() override {
    HostFd node(TRY(open_node()));
    return host_files().listxattr(node.get());
  }

 protected:
  Result<Ref<HostData>> open_data(bool write) override {
    int dir = TRY(parent_->fd());
    Result<int> fd = host_files().open(dir, name_, O_RDWR);
    if (fd.ok()) return make_ref<HostData>(HostFd(*fd), true);
    if (write) return fd.error();
    return make_ref<HostData>(HostFd(TRY(host_files().open(dir, name_, O_RDONLY))), false);
  }

 private:
  HostdirSuper& fs() const { return static_cast<HostdirSuper&>(sb()); }

  Result<Kstat> stat_by_name() {
    if (is_dir()) return host_files().stat(TRY(self_->fd()));
    return host_files().stat(TRY(parent_->fd()), name_);
  }

  // Opened by name, or the directory itself.
  Result<int> open_node() {
    if (is_dir()) return host_files().open(TRY(self_->fd()), ".", O_PATH);
    return host_files().open(TRY(parent_->fd()), name_, O_PATH);
  }

  void found_at(const Ref<HostDir>& parent, const std::string& name) {
    if (parent_ == parent && name_ == name) return;
    parent_ = parent;
    name_ = name;
    if (self_) self_->moved(parent, name);
  }

  void show(const Kstat& host) {
    uint64_t ino = attr.ino, dev = attr.dev;
    attr = host;
    attr.ino = ino;
    attr.dev = dev;
    if (host.uid == fs().host_uid) attr.uid = fs().config.guest_uid;
    if (host.gid == fs().host_gid) attr.gid = fs().config.guest_gid;
  }

  const std::pair<uint64_t, uint64_t> id_;
  Ref<HostDir> parent_, self_;  // self_: directories
  std::string name_;
};

}  // namespace

Result<Ref<Inode>> make_hostdir(const HostDirConfig& config) {
  auto sb = make_ref<HostdirSuper>(config);
  HostFd fd(TRY(host_files().open_root(config.path, false)));
  Kstat st = TRY(host_files().stat(fd.get()));
  if (S_ISDIR(st.mode)) {
    sb->top = make_ref<HostDir>(std::move(fd), st.dev);
    return Ref<Inode>(make_ref<HostdirInode>(sb, st, nullptr, ""));
  }
  // A single file: known by its directory and name.
  size_t slash = config.path.rfind('/');
  std::string dir = slash == std::string::npos ? "." : config.path.substr(0, slash + 1);
  std::string name = slash == std::string::npos ? config.path : config.path.substr(slash + 1);
  HostFd dir_fd(TRY(host_files().open_root(dir, true)));
  st = TRY(host_files().stat(dir_fd.get(), name));
  sb->top = make_ref<HostDir>(std::move(dir_fd), st.dev);
  return Ref<Inode>(make_ref<HostdirInode>(sb, st, sb->top, name));
}

}  // namespace starry
