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

class ProcSuper final : public SuperBlock {
 public:
  explicit ProcSuper(Ref<PidNamespace> n) : SuperBlock("proc", PROC_SUPER_MAGIC), pid_ns(std::move(n)) {
    user_ns = pid_ns->owner_ref();
  }
  const Ref<PidNamespace> pid_ns;
};

class ProcRoot final : public PseudoDir {
 public:
  explicit ProcRoot(Ref<SuperBlock> sb) : PseudoDir(std::move(sb), 0555) {}

  Result<Kstat> stat() override {
    std::vector<DirEntry> processes;
    dynamic_list(processes);
    Kstat st = attr;
    st.nlink += static_cast<uint32_t>(processes.size());
    return st;
  }
  // Threads that are no leaders can be looked up but are not listed (proc(5)).
  Result<Ref<Inode>> dynamic_lookup(std::string_view name) override {
    const std::optional<int> tid = proc::parse_id(name);
    Task* t = tid ? proc::proc_task(proc::pid_ns_of(sb()).id(*tid)) : nullptr;
    if (t == nullptr) return Error{ENOENT};
    return proc::make_task_inode(&sb(), *t, false);
  }
  void dynamic_list(std::vector<DirEntry>& out) override {
    const auto add = [&](const Task& t) {
      const pid_t number = proc::pid_ns_of(sb()).number(t.tgid());
      if (number == 0) return;
      out.push_back(
          {std::to_string(number), proc::task_ino(proc::TaskId::of(t), proc::Sort::process_file, 0), DT_DIR});
    };
    add(init_task());
    for_each_group([&](ThreadGroup& g) {
      if (const Task* t = g.leader()) add(*t);
    });
  }
};

// What other parts of the kernel have added: every instance has it.
using Addition = std::function<void(const Ref<PseudoDir>& root)>;
std::vector<Addition>& additions() {
  static std::vector<Addition> all;
  return all;
}

// The caller's number in the PID namespace of the mount. ENOENT: it has none.
Result<pid_t> own_number(const SuperBlock& sb, pid_t id) {
  const pid_t number = proc::pid_ns_of(sb).number(id);
  if (number == 0) return Error{ENOENT};
  return number;
}

Ref<PseudoDir> build_proc_root(const Ref<PidNamespace>& pid_ns) {
  const Ref<PseudoDir> root = make_ref<ProcRoot>(make_ref<ProcSuper>(pid_ns));
#define PROC_TEXT(path, perm, show) tree_add_text(root, path, perm, proc::show);
#define PROC_STORE(path, perm, show, store) tree_add_text(root, path, perm, proc::show, proc::store);
#define PROC_VALUE(path, perm, text) tree_add_text(root, path, perm, [] { return std::string(text); });
#define PROC_LINK(path, text) tree_add_link(root, path, text);
#define PROC_DIR(path) tree_add_dir(root, path);
#include "vfs/procfs/entries.def"
#include "vfs/procfs/proc_undef.h"
  const SuperBlock& sb = root->sb();  // kept by the inodes
  root->add("self", make_ref<PseudoLink>(&root->sb(), [&sb]() -> Result<std::string> {
              return std::to_string(TRY(own_number(sb, current().tgid())));
            }));
  root->add("thread-self", make_ref<PseudoLink>(&root->sb(), [&sb]() -> Result<std::string> {
              const pid_t tgid = TRY(own_number(sb, current().tgid()));
              return fmt::format("{}/task/{}", tgid, TRY(own_number(sb, current().tid)));
            }));
  for (const Addition& add : additions()) add(root);
  return root;
}

// The one instance of the initial PID namespace, shared by all its mounts.
const Ref<PseudoDir>& proc_root() {
  static const Ref<PseudoDir> root = build_proc_root(initial_pid_ns());
  return root;
}

Result<Ref<Inode>> mount_proc(const MountArgs&) {
  if (!in_task() || current().group->pid_ns->initial()) return procfs_root();
  return Ref<Inode>(build_proc_root(current().group->pid_ns));
}

}  // namespace

namespace proc {

const PidNamespace& pid_ns_of(const SuperBlock& sb) { return *static_cast<const ProcSuper&>(sb).pid_ns; }

Ref<PseudoDir> net_dir() {
  static const Ref<PseudoDir> dir = make_ref<PseudoDir>(&proc_root()->sb(), 0555);
  return dir;
}

}  // namespace proc

Ref<Inode> procfs_root() { return proc_root(); }

void init_procfs() {
  register_filesystem(
      {.name = "proc",
       .mount = mount_proc,
       .ruler = [](const Task& t) -> const UserNamespace& { return t.group->pid_ns->user_ns(); },
       .revealing = true});
  load_average_start();
}

void proc_register(std::string_view path, uint32_t perm, ProcShow show, ProcStore store) {
  const Addition add = [path = std::string(path), perm, show = std::move(show), store = std::move(store)](
                           const Ref<PseudoDir>& root) { tree_add_text(root, path, perm, show, store); };
  add(proc_root());
  additions().push_back(add);
}

void proc_net_register(std::string_view name, ProcShow show) {
  tree_add_text(proc::net_dir(), name, 0444, std::move(show));
}

}  // namespace starry
