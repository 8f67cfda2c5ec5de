// Scheduling calls of kernel code that runs for a task.
#pragma once

namespace starry {

class Task;

// sched_yield(2): `t`, which runs now, goes behind its equals; comes back when it has a CPU again.
void yield_current(Task& t);
// The running task goes on only after the others that wait for its CPU have had it, unless it is a real-time task.
void cond_resched();

}  // namespace starry
