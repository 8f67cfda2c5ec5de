// Scheduling calls of kernel code that runs for a task.
#pragma once

namespace starry {

class Task;

// sched_yield(2): `t`, which runs now, goes behind its equals; comes back when it has a CPU again.
void yield_current(Task& t);

}  // namespace starry
