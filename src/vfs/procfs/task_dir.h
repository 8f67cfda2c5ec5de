// Directories of processes and threads.
#pragma once

#include <optional>
#include <string_view>

#include "vfs/pseudo.h"

namespace starry {

class PidNamespace;
class Task;

namespace proc {

// Which thread an inode is about. The start time tells a reused pid from the old one.
struct TaskId {
  pid_t tid;
  uint64_t start_ns;
  static TaskId of(const Task& t);
  // Null once it is gone (reaped).
  Task* find() const;
  bool operator==(const TaskId&) const = default;
};

// Whose numbers an instance of procfs shows.
const PidNamespace& pid_ns_of(const SuperBlock& sb);

// A thread by its kernel-wide id; pid 1 has one here.
Task* proc_task(pid_t tid);

// A decimal number without sign and leading zeros, as pids and descriptors are named.
std::optional<int> parse_id(std::string_view name);

// Owner of a file of a process: its effective ids, or root if others must not look into it.
Result<Kstat> owned_by(const Kstat& attr, TaskId id);

// Which sort of inode, for inode numbers: (thread id, sort, index) names an object of procfs for good.
enum class Sort : uint64_t { process_file, thread_file, fd, fdinfo, ns };
uint64_t task_ino(TaskId id, Sort sort, uint64_t index);

// A base for directories of one task: ownership, and gone with the task.
class TaskOwnedDir : public PseudoDir {
 public:
  TaskOwnedDir(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino);
  Result<Kstat> stat() override { return owned_by(attr, id_); }
  bool revalidate() override { return id_.find() != nullptr; }
  bool cache_unused() const override { return false; }

 protected:
  // ESRCH... as ENOENT: the process is gone.
  Result<Task*> task() const;
  const TaskId id_;
};

// /proc/PID (thread false) and /proc/PID/task/TID.
Ref<Inode> make_task_inode(Ref<SuperBlock> sb, Task& t, bool thread);

// What TASK_OTHER rows of task_entries.def make.
#define TASK_TEXT(name, perm, access, scope, show)
#define TASK_STORE(name, perm, access, scope, show, store)
#define TASK_OTHER(name, perm, scope, make) \
  Ref<Inode> make(Ref<SuperBlock> sb, uint32_t perm_bits, TaskId id, uint64_t ino);
#include "vfs/procfs/task_entries.def"
#include "vfs/procfs/task_undef.h"

// The directory that /proc/PID/net shows.
Ref<PseudoDir> net_dir();

}  // namespace proc
}  // namespace starry
