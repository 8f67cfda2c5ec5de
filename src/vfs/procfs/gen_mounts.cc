// Mount tables and file systems: /proc/PID/mounts, mountinfo, mountstats, /proc/filesystems.
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "emulated_kernel/task/task.h"
#include "vfs/fs_context.h"
#include "vfs/mount.h"
#include "vfs/procfs/generators.h"
#include "vfs/vfs.h"

namespace starry::proc {

namespace {

// Where a mount is, as `t` sees it; empty if it is not below the task's root.
std::string mount_point(const Task& t, Mount& m) {
  const std::string name = vfs_path_name(Path(&m, m.root), t.fs->root);
  return name.starts_with('/') ? escape_name(name) : std::string();
}

std::string source_of(const Mount& m) { return escape_name(m.source.empty() ? "none" : m.source); }

// Calls fn(mount, mount point) for the mounts that `t` can see.
template <class Fn>
std::string each_mount(const Task& t, Fn fn) {
  std::string s;
  if (!t.fs) return s;
  for (Mount* m : all_mounts(*t.fs->mounts)) {
    const std::string where = mount_point(t, *m);
    if (!where.empty()) s += fn(*m, where);
  }
  return s;
}

}  // namespace

std::string task_mounts(Task& t) {
  return each_mount(t, [](Mount& m, const std::string& where) {
    return fmt::format("{} {} {} {}{} 0 0\n", source_of(m), where, m.sb->fs_name(), m.options(),
                       m.sb->show_options());
  });
}

std::string task_mountinfo(Task& t) {
  return each_mount(t, [](Mount& m, const std::string& where) {
    // Which part of its file system is mounted: the path of `root` in the file system.
    std::string part;
    for (const Dentry* d = m.root.get(); d->parent() != nullptr; d = d->parent())
      part = "/" + d->name() + part;
    return fmt::format("{} {} {}:{} {} {} {} - {} {} {}{}\n", m.id, m.parent ? m.parent->id : m.id,
                       major(m.sb->dev()), minor(m.sb->dev()), part.empty() ? "/" : escape_name(part), where,
                       m.options(), m.sb->fs_name(), source_of(m), "rw", m.sb->show_options());
  });
}

std::string task_mountstats(Task& t) {
  return each_mount(t, [](Mount& m, const std::string& where) {
    return fmt::format("device {} mounted on {} with fstype {}\n", source_of(m), where, m.sb->fs_name());
  });
}

std::string filesystem_types() {
  std::string s;
  for (const FileSystemType& type : filesystems())
    s += fmt::format("{}\t{}\n", type.needs_device ? "" : "nodev", type.name);
  return s;
}

}  // namespace starry::proc
