#include "vfs/procfs/task_dir.h"

#include <dirent.h>

#include <charconv>

#include "emulated_kernel/task/pid_table.h"
#include "vfs/dentry.h"
#include "vfs/path.h"
#include "vfs/procfs/generators.h"
#include "vfs/procfs/procfs.h"

namespace starry::proc {

namespace {

enum Access : uint8_t { ANY, PTRACE };
enum Scope : uint8_t { PROCESS = 1, THREAD = 2, BOTH = 3 };

struct Row {
  std::string_view name;
  uint32_t perm;
  uint8_t scope;
  Access access = ANY;
  std::string (*show)(Task&) = nullptr;
  Result<void> (*store)(Task&, std::string_view) = nullptr;
  Ref<Inode> (*make)(Ref<SuperBlock>, uint32_t, TaskId, uint64_t) = nullptr;
};

constexpr Row ROWS[] = {
#define TASK_TEXT(name, perm, access, scope, show) {name, perm, scope, access, show},
#define TASK_STORE(name, perm, access, scope, show, store) {name, perm, scope, access, show, store},
#define TASK_OTHER(name, perm, scope, make) {name, perm, scope, ANY, nullptr, nullptr, make},
#include "vfs/procfs/task_entries.def"
#include "vfs/procfs/task_undef.h"
};

uint8_t dirent_type(const Row& row) {
  if (row.make == nullptr) return DT_REG;
  if (row.make == make_exe || row.make == make_cwd || row.make == make_root_link) return DT_LNK;
  return row.make == make_mem || row.make == make_pagemap ? DT_REG : DT_DIR;
}

// A text file about one task.
class TaskFile final : public TextFile {
 public:
  TaskFile(Ref<SuperBlock> sb, const Row& row, TaskId id, uint64_t ino)
      : TextFile(std::move(sb), row.perm, nullptr), row_(row), id_(id) {
    attr.ino = ino;
  }
  Result<Kstat> stat() override { return owned_by(attr, id_); }
  bool revalidate() override { return id_.find() != nullptr; }
  Result<Ref<File>> open(const Path& where, int flags) override {
    const Task* t = id_.find();
    if (t == nullptr) return Error{ESRCH};
    if (row_.access == PTRACE && !may_inspect(current(), *t)) return Error{EACCES};
    return TextFile::open(where, flags);
  }
  Result<std::string> show() override {
    Task* t = id_.find();
    if (t == nullptr) return Error{ESRCH};
    const PidView view(pid_ns_of(sb()));
    return row_.show(*t);
  }
  Result<void> store(std::string_view text) override {
    Task* t = id_.find();
    if (t == nullptr) return Error{ESRCH};
    if (row_.store == nullptr) return Error{EINVAL};
    return row_.store(*t, text);
  }

 private:
  const Row& row_;
  const TaskId id_;
};

class TaskDir final : public TaskOwnedDir {
 public:
  TaskDir(Ref<SuperBlock> sb, TaskId id, bool thread)
      : TaskOwnedDir(std::move(sb), 0555, id, task_ino(id, sort(thread), 0)), thread_(thread) {
    attr.nlink = thread ? 7 : 9;
  }

  Result<Ref<Inode>> dynamic_lookup(std::string_view name) override {
    TRY(task());
    for (size_t i = 0; i < std::size(ROWS); i++) {
      const Row& row = ROWS[i];
      if (row.name != name || (row.scope & scope()) == 0) continue;
      const uint64_t ino = task_ino(id_, sort(thread_), i + 1);
      if (row.make != nullptr) return row.make(&sb(), row.perm, id_, ino);
      return Ref<Inode>(make_ref<TaskFile>(&sb(), row, id_, ino));
    }
    return Error{ENOENT};
  }

  void dynamic_list(std::vector<DirEntry>& out) override {
    if (id_.find() == nullptr) return;
    for (size_t i = 0; i < std::size(ROWS); i++) {
      if ((ROWS[i].scope & scope()) != 0)
        out.push_back({std::string(ROWS[i].name), task_ino(id_, sort(thread_), i + 1), dirent_type(ROWS[i])});
    }
  }

  bool is_thread() const { return thread_; }
  TaskId id() const { return id_; }

 private:
  static Sort sort(bool thread) { return thread ? Sort::thread_file : Sort::process_file; }
  uint8_t scope() const { return thread_ ? THREAD : PROCESS; }
  const bool thread_;
};

// /proc/PID/task
class ThreadsDir final : public TaskOwnedDir {
 public:
  using TaskOwnedDir::TaskOwnedDir;

  Result<Kstat> stat() override {
    Kstat st = TRY(owned_by(attr, id_));
    if (const Task* t = id_.find())
      st.nlink = 2 + static_cast<uint32_t>(std::max<size_t>(t->group->threads.size(), 1));
    return st;
  }
  Result<Ref<Inode>> dynamic_lookup(std::string_view name) override {
    const Task* leader = TRY(task());
    const std::optional<int> tid = parse_id(name);
    Task* t = tid ? proc_task(pid_ns_of(sb()).id(*tid)) : nullptr;
    if (t == nullptr || t->group != leader->group) return Error{ENOENT};
    return make_task_inode(&sb(), *t, true);
  }
  void dynamic_list(std::vector<DirEntry>& out) override {
    const Task* leader = id_.find();
    if (leader == nullptr) return;
    const auto add = [&](const Task& t) {
      out.push_back({std::to_string(pid_ns_of(sb()).number(t.tid)),
                     task_ino(TaskId::of(t), Sort::thread_file, 0), DT_DIR});
    };
    if (leader == &init_task()) add(*leader);
    for (const Task* t : leader->group->threads) add(*t);
  }
};

}  // namespace

Task* proc_task(pid_t tid) { return tid == init_group().tgid ? &init_task() : find_task(tid); }

TaskId TaskId::of(const Task& t) { return {t.tid, t.start_time_ns}; }

Task* TaskId::find() const {
  Task* t = proc_task(tid);
  return t != nullptr && t->start_time_ns == start_ns ? t : nullptr;
}

std::optional<int> parse_id(std::string_view name) {
  int id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  if (id < 0 || name.front() == '-' || (name.size() > 1 && name.front() == '0')) return std::nullopt;
  return id;
}

Result<Kstat> owned_by(const Kstat& attr, TaskId id) {
  const Task* t = id.find();
  if (t == nullptr) return Error{ENOENT};
  Kstat st = attr;
  constexpr uint32_t OPEN_DIR = S_IFDIR | 0555;
  if (t->group->dumpable || st.mode == OPEN_DIR) {
    st.uid = t->cred->euid;
    st.gid = t->cred->egid;
  }
  return st;
}

uint64_t task_ino(TaskId id, Sort sort, uint64_t index) {
  return static_cast<uint64_t>(id.tid) << 24 | static_cast<uint64_t>(sort) << 21 | index;
}

TaskOwnedDir::TaskOwnedDir(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino)
    : PseudoDir(std::move(sb), perm), id_(id) {
  attr.ino = ino;
}

Result<Task*> TaskOwnedDir::task() const {
  Task* t = id_.find();
  if (t == nullptr) return Error{ENOENT};
  return t;
}

Ref<Inode> make_task_inode(Ref<SuperBlock> sb, Task& t, bool thread) {
  return make_ref<TaskDir>(std::move(sb), TaskId::of(t), thread);
}

Ref<Inode> make_task_dir(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino) {
  return make_ref<ThreadsDir>(std::move(sb), perm, id, ino);
}

}  // namespace starry::proc

namespace starry {

Result<Ref<ThreadGroup>> proc_group_of_directory(const File& f) {
  const auto* dir = f.path ? dynamic_cast<const proc::TaskDir*>(f.path->dentry->inode()) : nullptr;
  if (dir == nullptr || dir->is_thread()) return Error{EBADF};
  const Task* t = dir->id().find();
  if (t == nullptr) return Error{ESRCH};
  return t->group;
}

}  // namespace starry
