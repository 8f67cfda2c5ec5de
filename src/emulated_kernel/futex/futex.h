// Futexes (futex(2), futex(7)). Public face of src/emulated_kernel/futex/.
//
// Plain waiters are in the FutexTable (table.h), priority-inheritance locks in PiState objects (pi.h).
// The futex word lives in guest memory and changes under our feet: it is read with load32 and written
// with cmpxchg32 only. cmpxchg32 may suspend the fiber, so what a PI operation decided is protected by
// one sleeping lock for all PI operations.
#pragma once

#include "emulated_kernel/base/user_ptr.h"
#include "emulated_kernel/futex/table.h"

namespace starry {

class Task;

FutexTable& futex_table();

// A thread leaves its address space (exit or execve): walks the robust list, hands on PI locks.
// Call while t.mm is still there.
void futex_exit_task(Task& t);

// FUTEX_WAKE on a shared futex of `t`'s address space: CLONE_CHILD_CLEARTID.
void futex_wake_address(Task& t, UserAddr addr, int count);

// The scheduling priority of `t` has changed: it may wait elsewhere in a PI lock's queue, and its
// priority may reach the owner.
void futex_priority_changed(Task& t);

}  // namespace starry
