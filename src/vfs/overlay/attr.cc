// Attributes, extended attributes, data.
#include <fcntl.h>

#include "vfs/overlay/overlay_inode.h"

namespace starry {

namespace {
constexpr timespec OMIT{0, UTIME_OMIT};
}

// Journals what the host object `host` does not show as it should. `is_new`: nothing known about
// `path` holds any more.
Result<void> OverlayInode::record(const std::string& path, bool is_new, const Kstat& host,
                                  uint64_t keep_ino) {
  const bool differs = attr.mode != host.mode || attr.uid != host.uid || attr.gid != host.gid ||
                       attr.rdev != host.rdev || keep_ino != 0;
  MetaAttr m{attr.mode, attr.uid, attr.gid, attr.rdev, keep_ino, 0};
  if (is_new) return differs ? fs().meta->new_attr(path, m) : fs().meta->forget(path);
  const OverlayMeta::Node* node = fs().meta->find(path);
  if (differs || (node != nullptr && node->attr)) return fs().meta->set_attr(path, m);
  return {};
}

Result<void> OverlayInode::setattr(const SetAttr& a) {
  if (a.valid & SetAttr::SIZE) {
    if (!removed_) TRY(copy_up(a.size != 0));
    Ref<HostData> d = TRY(data(true));
    TRY(host_files().truncate(d->fd(), a.size));
    stale_ = true;
  }
  if ((a.valid & ~static_cast<uint32_t>(SetAttr::SIZE)) == 0) return {};
  if (!removed_) TRY(copy_up());
  if (!in_upper_ || (removed_ && !orphan_)) {  // nothing to store it in, and nobody who could find it
    apply_attr(a);
    return {};
  }
  Place p = TRY(upper_place());
  if (a.valid & (SetAttr::MODE | SetAttr::UID | SetAttr::GID)) {
    timespec ctime = attr.ctime;
    SetAttr ids = a;
    ids.valid &= SetAttr::MODE | SetAttr::UID | SetAttr::GID;
    apply_attr(ids);
    attr.ctime = ctime;
    // Also for a mere chown: it makes the host set the change time.
    if (is_regular() || is_dir())
      TRY(host_files().chmod(p.fd, p.name, (attr.mode & 0777) | (is_dir() ? 0700 : 0600)));
    if (!removed_) {
      Kstat host = TRY(host_files().stat(p.fd, p.name));
      TRY(record(rel(), false, host, kept_ino_));
    }
  }
  if (a.valid & (SetAttr::ATIME | SetAttr::MTIME)) {
    const timespec times[2] = {(a.valid & SetAttr::ATIME) ? a.atime : OMIT,
                               (a.valid & SetAttr::MTIME) ? a.mtime : OMIT};
    TRY(host_files().utimens(p.fd, p.name, times));
  }
  stale_ = true;
  return {};
}

Result<std::string> OverlayInode::readlink() {
  Place p = TRY(place());
  return host_files().readlink(p.fd, p.name);
}

Result<Ref<HostData>> OverlayInode::open_data(bool write) {
  if (orphan_) return orphan_;
  if (write && removed_ && !in_upper_) {
    // A removed lower file that somebody opens for writing through /proc/self/fd: a nameless copy.
    NewInode n;
    n.mode = attr.mode;
    Ref<Inode> copy = TRY(tmpfile(n));
    Ref<HostData> d = static_cast<OverlayInode&>(*copy).orphan_;
    TRY(copy_data(d->fd()));
    orphan_ = d;
    in_upper_ = true;
    return d;
  }
  if (write) TRY(copy_up());
  Place p = TRY(place());
  if (in_upper_) {
    Result<int> fd = host_files().open(p.fd, p.name, O_RDWR);
    if (fd.ok()) return make_ref<HostData>(HostFd(*fd), true);
    if (write) return fd.error();
  }
  return make_ref<HostData>(HostFd(TRY(host_files().open(p.fd, p.name, O_RDONLY))), false);
}

Result<HostFd> OverlayInode::open_node() {
  Place p = TRY(place());
  return HostFd(TRY(host_files().open(p.fd, p.name.empty() ? "." : p.name, O_PATH)));
}

Result<std::string> OverlayInode::getxattr(const std::string& name) {
  if (orphan_) return host_files().getxattr(orphan_->fd(), name);
  HostFd node = TRY(open_node());
  return host_files().getxattr(node.get(), name);
}

Result<void> OverlayInode::setxattr(const std::string& name, std::string_view value, int flags) {
  // Other name spaces mean something to the host's kernel (security.capability): not for guests.
  if (!name.starts_with("user.")) return Error{EOPNOTSUPP};
  if (!removed_) TRY(copy_up());
  stale_ = true;
  if (orphan_) return host_files().setxattr(orphan_->fd(), name, value, flags);
  HostFd node = TRY(open_node());
  return host_files().setxattr(node.get(), name, value, flags);
}

Result<void> OverlayInode::removexattr(const std::string& name) {
  TRY(getxattr(name));  // ENODATA before anything is copied
  if (!removed_) TRY(copy_up());
  stale_ = true;
  if (orphan_) return host_files().removexattr(orphan_->fd(), name);
  HostFd node = TRY(open_node());
  return host_files().removexattr(node.get(), name);
}

Result<std::vector<std::string>> OverlayInode::listxattr() {
  if (orphan_) return host_files().listxattr(orphan_->fd());
  HostFd node = TRY(open_node());
  return host_files().listxattr(node.get());
}

}  // namespace starry
