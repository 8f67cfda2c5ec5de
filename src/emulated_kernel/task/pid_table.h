// Who exists: tasks by tid, processes by tgid. The table holds every task until it is gone for good; a
// zombie's leader stays in it until the zombie is reaped.
#pragma once

#include "emulated_kernel/task/task.h"

namespace starry {

// The reaper of orphans (pid 1). A process without threads: it reaps at once, ignores signals and is
// not in the table.
ThreadGroup& init_group();
// What /proc/1 shows and scheduling calls find by that number. It never runs; `threads` does not have it
// either.
Task& init_task();

void register_task(Ref<Task> t);  // also appends it to its group's threads
// Takes the task out of table and group. It is destroyed later, outside of its own fiber.
void unregister_task(Task& t);
void register_group(ThreadGroup& g);
void unregister_group(ThreadGroup& g);
// A thread other than the leader takes over the leader's id (execve(2), "multithreaded process"). The
// old leader is gone afterwards.
void become_leader(Task& t);

constexpr pid_t PID_MAX = 4194304;  // /proc/sys/kernel/pid_max on 64-bit machines
// The id `wanted` for a new task, instead of alloc_pid()'s. EEXIST: in use.
Result<pid_t> claim_pid(pid_t wanted);

// Since the start, for /proc/stat and /proc/loadavg: the newest id, tasks made, and the context switches of
// processes that are gone.
struct TaskTotals {
  pid_t last_pid;
  uint64_t made, switches_of_gone;
};
TaskTotals task_totals();
void count_switches_of_gone(uint64_t n);  // of a thread, what its process does not keep

// `id` may have lost its last user (task, process group, session): if so, its numbers in `ns` and above are
// free.
void release_id(PidNamespace& ns, pid_t id);

int count_tasks();
int count_tasks_of(uint32_t uid);  // real uid, for RLIMIT_NPROC

// True while `id` names a process group or session.
bool pgrp_exists(pid_t pgid);

// Destroys something later from the kernel loop, when no code of it is on the stack any more.
void destroy_later(std::unique_ptr<HostThread> host);

}  // namespace starry
