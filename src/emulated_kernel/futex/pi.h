// Priority-inheritance futexes: FUTEX_LOCK_PI and its relatives (futex(2), "Priority-inheritance
// futexes"). The word holds the owner's tid, FUTEX_WAITERS and FUTEX_OWNER_DIED. A PiState exists while
// threads wait in the kernel for such a lock; its owner runs at least at the priority of the first
// waiter, through chains of locks. Unlocking hands the lock to that waiter.
#pragma once

#include <boost/intrusive/list.hpp>

#include "emulated_kernel/futex/futex.h"

namespace starry {

struct PiState;

struct PiWaiter
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::safe_link>> {
  Task* task = nullptr;
  PiState* state = nullptr;  // set while it belongs to one, granted or not
  int rank = 0;
  bool granted = false;   // the task owns the lock now
  bool fix_word = false;  // the old owner died: the new one writes the word itself
};

struct PiState {
  FutexKey key;
  Task* owner = nullptr;
  boost::intrusive::list<PiWaiter, boost::intrusive::constant_time_size<false>> waiters;
  int users = 0;                 // PiWaiters whose `state` this is
  bool word_stale = false;       // a waiter with fix_word has not run yet
  PiState* next = nullptr;       // all of them
  PiState* next_held = nullptr;  // of one owner
};

// A futex word as an operation of `t` names it.
struct FutexRef {
  FutexKey key;
  UserAddr addr = 0;
};

SysResult futex_lock_pi(Task& t, const FutexRef& f, Deadline deadline, bool try_only);
SysResult futex_unlock_pi(Task& t, const FutexRef& f);
// `from` is a plain futex, `to` the PI one.
SysResult futex_wait_requeue_pi(Task& t, const FutexRef& from, uint32_t expected, uint32_t bitset,
                                Deadline deadline, const FutexRef& to);
SysResult futex_cmp_requeue_pi(Task& t, const FutexRef& from, uint32_t expected, const FutexRef& to,
                               int nr_requeue);

// True if `key` is a PI lock that somebody waits for: other operations on it are EINVAL.
bool futex_is_pi(const FutexKey& key);
void futex_pi_owner_gone(Task& t);

}  // namespace starry
