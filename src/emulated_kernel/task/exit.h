// Pieces of exit that execve(2) and wait(2) use too.
#pragma once

#include "emulated_kernel/base/ref.h"

namespace starry {

class Cred;
class Task;
class ThreadGroup;

// `t` stops using its address space (exit or execve): robust futexes, CLONE_CHILD_CLEARTID, the waiting
// parent of a vfork.
void leave_mm(Task& t);
// Drops `t`'s share of the descriptor table; the last user closes the files.
void leave_files(Task& t);
// Adds the CPU time of `t`'s carrier to its process, for when the carrier goes away.
void account_cpu_time(Task& t);
// Who may have the host process of `t` when it has been emptied (HostThread::exit()). Null for a process that
// may do less than others with its credentials.
Ref<const Cred> heir_of_space(const Task& t);
// Marks every thread but `keep` (may be null) killed.
void kill_threads(ThreadGroup& g, const Task* keep);
// Removes a zombie for good.
void reap(ThreadGroup& g);

}  // namespace starry
