// The kernel's half of PI futexes: states, their waiters and the inheritance of priorities. The half
// that deals with the word in guest memory is pi.cc.
#pragma once

#include "emulated_kernel/futex/pi.h"

namespace starry {

// Held over everything that reads or changes PiStates and over the word operations that go with it.
Mutex& pi_mutex();

PiState* find_pi_state(const FutexKey& key);
PiState& make_pi_state(const FutexKey& key, Task& owner);

// True if `t` would wait for itself by waiting for `state`.
bool pi_deadlock(const Task& t, const PiState& state);
// `w.task` queues up; the owner inherits.
void pi_enqueue(PiState& state, PiWaiter& w);
// A waiter gives up.
void pi_dequeue(PiWaiter& w);
// The lock goes to its first waiter, which is woken.
PiWaiter& pi_hand_over(PiState& state);
// A waiter is done with its state, which goes away with the last one.
void pi_release(PiWaiter& w);
// Re-sorts `t` where it waits and passes its priority on.
void pi_rank_changed(Task& t);

}  // namespace starry
