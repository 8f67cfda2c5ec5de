#include "emulated_kernel/task/task.h"

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/platform.h"
#include "emulated_kernel/task/ns_proxy.h"
#include "vfs/fs_context.h"

namespace starry {

ThreadGroup::~ThreadGroup() = default;

Task::Task(pid_t id, Ref<ThreadGroup> tg)
    : tid(id),
      own_tid(id),
      group(std::move(tg)),
      ns(initial_namespaces()),
      start_time_ns(platform().monotonic_ns()) {}

Task::~Task() = default;

UserMemory& Task::mem() { return *mm; }

}  // namespace starry
