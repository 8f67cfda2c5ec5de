// procfs (proc(5)). Its files come from three tables: entries.def (system-wide), sysctl.def
// (/proc/sys) and task_entries.def (/proc/PID and /proc/PID/task/TID). Other parts of the kernel add
// theirs with the functions below, at any time.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "emulated_kernel/base/result.h"
#include "vfs/inode.h"

namespace starry {

class ThreadGroup;

// Registers the file system type "proc" and starts the load averages. Once, at boot.
void init_procfs();

// The root directory of the initial PID namespace: what mounting gives there.
Ref<Inode> procfs_root();

using ProcShow = std::function<std::string()>;
using ProcStore = std::function<Result<void>(std::string_view)>;

// The process whose directory `f` is (an open /proc/PID). EBADF: it is something else; ESRCH: it is gone.
Result<Ref<ThreadGroup>> proc_group_of_directory(const File& f);

// Adds or replaces the file at `path` (relative to /proc: "sysvipc/shm"); directories are made.
void proc_register(std::string_view path, uint32_t perm, ProcShow show, ProcStore store = nullptr);
// The same below /proc/net: "tcp6".
void proc_net_register(std::string_view name, ProcShow show);

}  // namespace starry
