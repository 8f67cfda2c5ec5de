// Magic links of /proc/PID: exe, cwd, root and the namespaces.
#include <dirent.h>
#include <fmt/format.h>
#include <linux/nsfs.h>
#include <linux/sched.h>

#include <algorithm>

#include "emulated_kernel/task/task.h"
#include "vfs/fs_context.h"
#include "vfs/procfs/task_dir.h"
#include "vfs/vfs.h"

namespace starry::proc {

namespace {

// A link to a place that belongs to a task.
class PlaceLink final : public Inode {
 public:
  using Get = Path (*)(const Task&);
  PlaceLink(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino, Get get)
      : Inode(std::move(sb), S_IFLNK | perm, ino), id_(id), get_(get) {}
  Result<Kstat> stat() override { return owned_by(attr, id_); }
  bool revalidate() override { return id_.find() != nullptr; }
  Result<std::string> readlink() override { return vfs_path_name(TRY(place()), current().fs->root); }
  Result<Path> follow() override { return place(); }

 private:
  Result<Path> place() const {
    const Task* t = id_.find();
    if (t == nullptr) return Error{ENOENT};
    if (!may_inspect(current(), *t)) return Error{EACCES};
    Path p = get_(*t);
    if (!p) return Error{ENOENT};
    return p;
  }
  const TaskId id_;
  const Get get_;
};

// Namespaces: there is one of each but mount namespaces, with the inode numbers of Linux's initial ones.
struct Namespace {
  std::string_view link, type;
  uint64_t ino;
  int flag;  // CLONE_NEW*
};
constexpr Namespace NAMESPACES[] = {
    {"cgroup", "cgroup", 4026531835, CLONE_NEWCGROUP},
    {"ipc", "ipc", 4026531839, CLONE_NEWIPC},
    {"mnt", "mnt", 4026531841, CLONE_NEWNS},
    {"net", "net", 4026531840, CLONE_NEWNET},
    {"pid", "pid", 4026531836, CLONE_NEWPID},
    {"pid_for_children", "pid", 4026531836, CLONE_NEWPID},
    {"time", "time", 4026531834, CLONE_NEWTIME},
    {"time_for_children", "time", 4026531834, CLONE_NEWTIME},
    {"user", "user", 4026531837, CLONE_NEWUSER},
    {"uts", "uts", 4026531838, CLONE_NEWUTS},
};

Namespace of_task(const Namespace& ns, const Task& t) {
  Namespace own = ns;
  if (ns.flag == CLONE_NEWNS && t.fs) own.ino = t.fs->mounts->ino;
  return own;
}

std::string ns_text(const Namespace& ns) { return fmt::format("{}:[{}]", ns.type, ns.ino); }

// An open namespace (nsfs): only its identity can be seen.
class NsFile final : public File {
 public:
  NsFile(const Namespace& ns, int flags) : File(flags), ns_(ns) {}
  Result<Kstat> stat() override {
    Kstat st;
    st.dev = 4;
    st.ino = ns_.ino;
    st.mode = S_IFREG | 0444;
    return st;
  }
  bool can_read() const override { return false; }
  std::string describe() const override { return ns_text(ns_); }
  Result<Ref<File>> reopen(int flags) override { return Ref<File>(make_ref<NsFile>(ns_, flags)); }

  // ioctl_ns(2). Nothing is above the initial ones.
  SysResult ioctl(Task& t, unsigned long cmd, uint64_t arg) override {
    const bool user = ns_.type == "user";
    switch (cmd) {
      case NS_GET_USERNS: {
        if (user) return Error{EPERM};
        const auto* owner = std::find_if(std::begin(NAMESPACES), std::end(NAMESPACES),
                                         [](const Namespace& n) { return n.link == "user"; });
        return TRY(t.files->install(make_ref<NsFile>(*owner, O_RDONLY), true, t.rlimit(RLIMIT_NOFILE)));
      }
      case NS_GET_PARENT:
        return Error{user || ns_.type == "pid" ? EPERM : EINVAL};
      case NS_GET_NSTYPE:
        return ns_.flag;
      case NS_GET_OWNER_UID:
        if (!user) return Error{EINVAL};
        TRY(t.mem().put(UserPtr<uint32_t>{arg}, 0U));
        return 0;
      default:
        return Error{ENOTTY};
    }
  }

 private:
  const Namespace ns_;
};

class NsLink final : public Inode {
 public:
  NsLink(Ref<SuperBlock> sb, TaskId id, const Namespace& ns, uint64_t ino)
      : Inode(std::move(sb), S_IFLNK | 0777, ino), id_(id), ns_(ns) {}
  Result<Kstat> stat() override { return owned_by(attr, id_); }
  bool revalidate() override { return id_.find() != nullptr; }
  Result<std::string> readlink() override { return ns_text(TRY(own())); }
  Result<Path> follow() override { return vfs_file_path(make_ref<NsFile>(TRY(own()), 0)); }

 private:
  Result<Namespace> own() const {
    const Task* t = id_.find();
    if (t == nullptr) return Error{ENOENT};
    if (!may_inspect(current(), *t)) return Error{EACCES};
    return of_task(ns_, *t);
  }
  const TaskId id_;
  const Namespace& ns_;
};

class NsDir final : public TaskOwnedDir {
 public:
  using TaskOwnedDir::TaskOwnedDir;
  Result<Ref<Inode>> dynamic_lookup(std::string_view name) override {
    TRY(task());
    for (size_t i = 0; i < std::size(NAMESPACES); i++) {
      if (NAMESPACES[i].link == name)
        return Ref<Inode>(make_ref<NsLink>(&sb(), id_, NAMESPACES[i], task_ino(id_, Sort::ns, i)));
    }
    return Error{ENOENT};
  }
  void dynamic_list(std::vector<DirEntry>& out) override {
    for (size_t i = 0; i < std::size(NAMESPACES); i++)
      out.push_back({std::string(NAMESPACES[i].link), task_ino(id_, Sort::ns, i), DT_LNK});
  }
};

}  // namespace

Ref<Inode> make_exe(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino) {
  return make_ref<PlaceLink>(std::move(sb), perm, id, ino, [](const Task& t) {
    return t.mm && t.group->exe_file ? vfs_file_path(t.group->exe_file) : Path();
  });
}

Ref<Inode> make_cwd(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino) {
  return make_ref<PlaceLink>(std::move(sb), perm, id, ino,
                             [](const Task& t) { return t.fs ? t.fs->cwd : Path(); });
}

Ref<Inode> make_root_link(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino) {
  return make_ref<PlaceLink>(std::move(sb), perm, id, ino,
                             [](const Task& t) { return t.fs ? t.fs->root : Path(); });
}

Ref<Inode> make_ns_dir(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino) {
  return make_ref<NsDir>(std::move(sb), perm, id, ino);
}

// One network namespace: every process shows the same directory.
Ref<Inode> make_net(Ref<SuperBlock> /*sb*/, uint32_t /*perm*/, TaskId /*id*/, uint64_t /*ino*/) {
  return net_dir();
}

}  // namespace starry::proc
