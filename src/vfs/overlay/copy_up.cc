// Copy-up: giving a lower object a place in the upper layer before it changes.
#include <fcntl.h>

#include "emulated_kernel/base/log.h"
#include "vfs/overlay/overlay_inode.h"

namespace starry {

Result<void> OverlayInode::restore_times(const Place& p, const Kstat& st) {
  const timespec times[2] = {st.atime, st.mtime};
  return host_files().utimens(p.fd, p.name, times);
}

// The lower file's data into `to`, holes left out.
Result<void> OverlayInode::copy_data(int to) {
  Place from = TRY(lower_place());
  HostFd in(TRY(host_files().open(from.fd, from.name, O_RDONLY)));
  Kstat st = TRY(host_files().stat(in.get()));
  for (uint64_t at = 0; at < st.size;) {
    Result<int64_t> data = host_files().seek(in.get(), static_cast<int64_t>(at), SEEK_DATA);
    if (!data.ok() && data.code() == ENXIO) break;  // only a hole is left
    uint64_t begin = data.ok() ? static_cast<uint64_t>(*data) : at;
    Result<int64_t> hole = host_files().seek(in.get(), static_cast<int64_t>(begin), SEEK_HOLE);
    uint64_t end = hole.ok() ? static_cast<uint64_t>(*hole) : st.size;
    uint64_t done = TRY(host_files().copy(in.get(), begin, to, begin, end - begin));
    at = begin + done;
    if (done < end - begin) break;
  }
  return host_files().truncate(to, st.size);
}

Result<void> OverlayInode::copy_up_file(int up, const std::string& name, bool with_data) {
  int work = TRY(fs().work->fd());
  std::string tmp = fs().work_name();
  uint32_t mode = (attr.mode & 0777) | 0600;
  HostFd out(TRY(host_files().open(work, tmp, O_RDWR | O_CREAT | O_EXCL, mode)));
  Result<void> r;
  if (with_data) r = copy_data(out.get());
  if (r.ok()) r = host_files().chmod(out.get(), {}, mode);  // whatever the umask is
  if (r.ok()) {
    for (const std::string& x : TRY(listxattr())) {
      if (x.compare(0, 5, "user.") != 0) continue;
      if (Result<std::string> v = getxattr(x); v.ok()) (void)host_files().setxattr(out.get(), x, *v, 0);
    }
    r = host_files().rename(work, tmp, up, name, 0);
  }
  if (!r.ok()) (void)host_files().unlink(work, tmp);
  return r;
}

Result<void> OverlayInode::copy_up(bool with_data) {
  if (in_upper_) return {};
  if (removed_) return Error{ESTALE};
  const Name at = names_.front();
  OverlayInode& parent = *at.dir;
  TRY(parent.copy_up());
  Kstat parent_st = TRY(parent.stat()), st = TRY(stat());
  int up = TRY(parent.upper_dir_->fd());
  const std::string path = rel();

  // A file with several names below becomes a file of its own, with a new number.
  const bool split = !is_dir() && lower_nlink_ > 1;
  kept_ino_ = split ? 0 : attr.ino;
  MetaAttr m{attr.mode, attr.uid, attr.gid, attr.rdev, kept_ino_, 0};
  TRY(fs().meta->new_attr(path, m));
  if (is_regular()) {
    TRY(copy_up_file(up, at.name, with_data));
  } else {
    NewInode n;
    n.mode = attr.mode;
    if (is_symlink()) n.target = TRY(readlink());
    TRY(make_host_object(up, at.name, n));
  }
  TRY(restore_times({up, at.name}, st));
  Place parent_place = TRY(parent.upper_place());
  TRY(restore_times(parent_place, parent_st));
  parent.stale_ = true;
  if (is_dir()) upper_dir_ = make_ref<HostDir>(parent.upper_dir_, at.name, fs().upper->dev);
  in_upper_ = true;
  Kstat host = TRY(host_files().stat(up, at.name));
  if (split) attr.ino = fs().map_ino(host.dev, host.ino);
  take_attr(host);
  forget_data();
  return {};
}

// Makes a directory and all below it independent of the lower layers, so that it can be renamed.
Result<void> OverlayInode::copy_up_tree(int& entries, uint64_t& bytes) {
  if (--entries < 0) return Error{EXDEV};
  Kstat st = TRY(stat());
  if (is_regular() && !in_upper_) {
    if (st.size > bytes) return Error{EXDEV};
    bytes -= st.size;
  }
  TRY(copy_up());
  if (!is_dir() || lower_dirs_.empty()) return {};
  for (DirEntry& e : TRY(list())) {
    Ref<Inode> child = TRY(lookup(e.name));
    TRY(static_cast<OverlayInode&>(*child).copy_up_tree(entries, bytes));
  }
  TRY(fs().meta->hide(rel()));
  lower_dirs_.clear();
  stale_ = true;
  return restore_times(TRY(upper_place()), st);
}

}  // namespace starry
