#include "tracer/guest_tree.h"

#include <sys/mount.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "emulated_kernel/ipc/mqueue.h"
#include "emulated_kernel/tty/terminal.h"
#include "tracer/host_files.h"
#include "tracer/start_error.h"
#include "vfs/devfs/devfs.h"
#include "vfs/fs_context.h"
#include "vfs/hostdir/hostdir.h"
#include "vfs/mount.h"
#include "vfs/ops.h"
#include "vfs/overlay/overlay.h"
#include "vfs/procfs/procfs.h"
#include "vfs/sysfs/sysfs.h"
#include "vfs/tmpfs/tmpfs.h"
#include "vfs/vfs.h"

namespace starry {
namespace {

struct PseudoMount {
  const char *fs, *target, *data;
  unsigned long flags;
};
constexpr PseudoMount PSEUDO_MOUNTS[] = {
    {"proc", "/proc", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
    {"sysfs", "/sys", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
    {"devtmpfs", "/dev", "mode=755", MS_NOSUID},
    {"devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=000", MS_NOSUID | MS_NOEXEC},
    {"tmpfs", "/dev/shm", "", MS_NOSUID | MS_NODEV},
    {"mqueue", "/dev/mqueue", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
};

// The kernel itself at the root of the tree.
struct KernelCaller {
  Ref<Cred> cred = make_ref<Cred>();
  Ref<FsContext> fs;
  KernelCaller() {
    cred->uid = cred->euid = cred->suid = cred->fsuid = 0;
    cred->gid = cred->egid = cred->sgid = cred->fsgid = 0;
    cred->cap_permitted = cred->cap_effective = CAP_FULL;
    if (Result<Ref<FsContext>> r = vfs_initial_context("/")) fs = std::move(r).value();
  }
  Caller caller() const { return Caller(*cred, *fs); }
};

}  // namespace

void GuestTree::mount(const Options& options, const std::string& state) {
  install_host_files();
  init_tmpfs();
  init_procfs();
  init_sysfs();
  init_devfs();
  mqueue_init();
  tty_init();

  Result<Ref<Inode>> root = make_overlay({{options.root}, state});
  if (!root) start_error("cannot use {} over {}: {}", state, options.root, strerror(root.code()));
  overlay_ = std::move(root).value();
  if (Result<Path> r = set_root_mount(overlay_, "overlay", 0); !r)
    start_error("cannot mount the root file system: {}", strerror(r.code()));
  for (const PseudoMount& m : PSEUDO_MOUNTS)
    if (Result<void> r = vfs_mount(m.fs, m.fs, m.target, m.flags, m.data, true); !r)
      start_error("cannot mount {} on {}: {}", m.fs, m.target, strerror(r.code()));
  for (const Options::Bind& b : options.binds) {
    const unsigned long flags = b.read_only ? MS_RDONLY : 0;
    Result<Ref<Inode>> dir = make_hostdir({b.host, options.uid, options.gid});
    if (!dir) start_error("--bind {}: {}", b.host, strerror(dir.code()));
    if (Result<void> r = vfs_mount_inode(std::move(dir).value(), b.host, b.guest, flags, true); !r)
      start_error("--bind {}:{}: {}", b.host, b.guest, strerror(r.code()));
  }
}

std::string GuestTree::start_directory(const Options& options) const {
  if (!options.workdir.empty()) {
    if (Result<Ref<FsContext>> r = vfs_initial_context(options.workdir); !r)
      start_error("--workdir {}: {}", options.workdir, strerror(r.code()));
    return options.workdir;
  }
  std::error_code ec;
  const std::string here = std::filesystem::current_path(ec);
  return !ec && has_directory(here) ? here : "/";
}

bool GuestTree::has_directory(const std::string& path) const {
  return !path.empty() && path.front() == '/' && vfs_initial_context(path).ok();
}

Ref<File> GuestTree::open_device(const char* path, int flags) const {
  const KernelCaller kernel;
  Result<Ref<File>> r = open_at(kernel.caller(), kernel.fs->root, path, {.flags = flags});
  return r ? std::move(r).value() : nullptr;
}

bool GuestTree::exists(const std::string& path, const std::string& start) const {
  const KernelCaller kernel;
  Result<Ref<FsContext>> from = vfs_initial_context(start);
  return from && walk_path(kernel.caller(), from.value()->cwd, path, WALK_FOLLOW).ok();
}

std::vector<std::string> GuestTree::changes(const Options& options) const {
  if (!overlay_) return {};
  Result<std::vector<std::string>> r = overlay_changes(*overlay_);
  if (!r) return {};
  std::vector<std::string> paths = std::move(r).value();
  for (const Options::Bind& b : options.binds)
    std::erase_if(paths, [&](const std::string& p) { return b.guest == p || b.guest.starts_with(p + "/"); });
  return paths;
}

}  // namespace starry
