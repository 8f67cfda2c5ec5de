#include "vfs/procfs/procfs.h"

#include <dirent.h>
#include <fmt/format.h>
#include <linux/magic.h>

#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/pid_table.h"
#include "vfs/procfs/generators.h"
#include "vfs/procfs/task_dir.h"
#include "vfs/procfs/tree.h"

namespace starry {

namespace {

class ProcRoot final : public PseudoDir {
 public:
  explicit ProcRoot(Ref<SuperBlock> sb) : PseudoDir(std::move(sb), 0555) {}

  Result<Kstat> stat() override {
    Kstat st = attr;
    st.nlink++;  // init
    for_each_group([&](ThreadGroup&) { st.nlink++; });
    return st;
  }
  // Threads that are no leaders can be looked up but are not listed (proc(5)).
  Result<Ref<Inode>> dynamic_lookup(std::string_view name) override {
    const std::optional<int> tid = proc::parse_id(name);
    Task* t = tid ? proc::proc_task(*tid) : nullptr;
    if (t == nullptr) return Error{ENOENT};
    return proc::make_task_inode(&sb(), *t, false);
  }
  void dynamic_list(std::vector<DirEntry>& out) override {
    const auto add = [&out](const Task& t) {
      out.push_back({std::to_string(t.tgid()),
                     proc::task_ino(proc::TaskId::of(t), proc::Sort::process_file, 0), DT_DIR});
    };
    add(init_task());
    for_each_group([&](ThreadGroup& g) {
      if (const Task* t = g.leader()) add(*t);
    });
  }
};

Ref<PseudoDir> build_proc_root() {
  const Ref<PseudoDir> root = make_ref<ProcRoot>(make_ref<SuperBlock>("proc", PROC_SUPER_MAGIC));
#define PROC_TEXT(path, perm, show) tree_add_text(root, path, perm, proc::show);
#define PROC_STORE(path, perm, show, store) tree_add_text(root, path, perm, proc::show, proc::store);
#define PROC_VALUE(path, perm, text) tree_add_text(root, path, perm, [] { return std::string(text); });
#define PROC_LINK(path, text) tree_add_link(root, path, text);
#define PROC_DIR(path) tree_add_dir(root, path);
#include "vfs/procfs/entries.def"
#include "vfs/procfs/proc_undef.h"
  root->add("self", make_ref<PseudoLink>(
                        &root->sb(), [] { return Result<std::string>(std::to_string(current().tgid())); }));
  root->add("thread-self", make_ref<PseudoLink>(&root->sb(), [] {
              return Result<std::string>(fmt::format("{}/task/{}", current().tgid(), current().tid));
            }));
  return root;
}

// The one instance of procfs, shared by all its mounts.
const Ref<PseudoDir>& proc_root() {
  static const Ref<PseudoDir> root = build_proc_root();
  return root;
}

}  // namespace

namespace proc {

Ref<PseudoDir> net_dir() {
  static const Ref<PseudoDir> dir = make_ref<PseudoDir>(&proc_root()->sb(), 0555);
  return dir;
}

}  // namespace proc

Ref<Inode> procfs_root() { return proc_root(); }

void init_procfs() {
  register_filesystem(
      {.name = "proc", .mount = [](const MountArgs&) -> Result<Ref<Inode>> { return procfs_root(); }});
  load_average_start();
}

void proc_register(std::string_view path, uint32_t perm, ProcShow show, ProcStore store) {
  tree_add_text(proc_root(), path, perm, std::move(show), std::move(store));
}

void proc_net_register(std::string_view name, ProcShow show) {
  tree_add_text(proc::net_dir(), name, 0444, std::move(show));
}

}  // namespace starry
