#include "emulated_kernel/task/task.h"

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/platform.h"
#include "vfs/fs_context.h"

namespace starry {

ThreadGroup::~ThreadGroup() = default;

Task::Task(pid_t id, Ref<ThreadGroup> tg)
    : tid(id), group(std::move(tg)), start_time_ns(platform().monotonic_ns()) {}

Task::~Task() = default;

UserMemory& Task::mem() { return *mm; }

}  // namespace starry
