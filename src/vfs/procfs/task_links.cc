// Magic links of /proc/PID: exe, cwd, root and the namespaces.
#include <dirent.h>

#include "emulated_kernel/task/task.h"
#include "vfs/fs_context.h"
#include "vfs/nsfs.h"
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

class NsLink final : public Inode {
 public:
  NsLink(Ref<SuperBlock> sb, TaskId id, const NamespaceKind& kind, uint64_t ino)
      : Inode(std::move(sb), S_IFLNK | 0777, ino), id_(id), kind_(kind) {}
  Result<Kstat> stat() override { return owned_by(attr, id_); }
  bool revalidate() override { return id_.find() != nullptr; }
  Result<std::string> readlink() override { return namespace_text(*TRY(own())); }
  Result<Path> follow() override { return vfs_file_path(open_namespace(TRY(own()), 0)); }

 private:
  Result<Ref<Namespace>> own() const {
    const Task* t = id_.find();
    if (t == nullptr) return Error{ENOENT};
    if (!may_inspect(current(), *t)) return Error{EACCES};
    Ref<Namespace> n = kind_.of(*t);
    if (!n) return Error{ENOENT};
    return n;
  }
  const TaskId id_;
  const NamespaceKind& kind_;
};

class NsDir final : public TaskOwnedDir {
 public:
  using TaskOwnedDir::TaskOwnedDir;
  Result<Ref<Inode>> dynamic_lookup(std::string_view name) override {
    TRY(task());
    for (size_t i = 0; i < NAMESPACE_KINDS.size(); i++) {
      if (NAMESPACE_KINDS[i].link == name)
        return Ref<Inode>(make_ref<NsLink>(&sb(), id_, NAMESPACE_KINDS[i], task_ino(id_, Sort::ns, i)));
    }
    return Error{ENOENT};
  }
  void dynamic_list(std::vector<DirEntry>& out) override {
    for (size_t i = 0; i < NAMESPACE_KINDS.size(); i++)
      out.push_back({std::string(NAMESPACE_KINDS[i].link), task_ino(id_, Sort::ns, i), DT_LNK});
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
