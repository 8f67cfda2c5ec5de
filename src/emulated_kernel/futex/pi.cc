#include "emulated_kernel/futex/pi.h"

#include <linux/futex.h>

#include "emulated_kernel/futex/pi_state.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

uint32_t tid_of(uint32_t word) { return word & FUTEX_TID_MASK; }

constexpr uint32_t FUTEX_PI_STATE_MASK = FUTEX_TID_MASK | FUTEX_OWNER_DIED;

// What a look at the word, on behalf of a thread that wants the lock, came to.
struct Attempt {
  bool acquired = false;
  PiState* state = nullptr;  // else: to be waited for
  bool fresh = false;        // nobody waits yet: drop it if nobody will
};

void drop_if_fresh(const Attempt& a) {
  if (!a.fresh) return;
  PiWaiter none;
  none.state = a.state;
  ++a.state->users;
  pi_release(none);
}

// futex_lock_pi_atomic(): takes a free lock for `who`, or marks it as waited for. The word is in `by`'s
// memory. With the mutex held. `set_waiters`: others will wait besides `who`.
Result<Attempt> try_lock(Task& by, Task& who, const FutexRef& f, bool set_waiters) {
  for (;;) {
    const uint32_t word = TRY(by.mem().load32(f.addr));
    if (tid_of(word) == static_cast<uint32_t>(by.shown_pid(who.tid))) return Error{EDEADLK};
    if (PiState* state = find_pi_state(f.key)) {
      // The word names the owner, or is about to: its owner died and the next one has not run yet.
      const bool in_between = state->word_stale || (word & FUTEX_PI_STATE_MASK) == FUTEX_OWNER_DIED;
      if (!in_between && tid_of(word) != static_cast<uint32_t>(by.shown_pid(state->owner->tid)))
        return Error{EINVAL};
      return Attempt{.state = state};
    }
    // Waiters of another kind: the word is used inconsistently.
    if (const FutexWaiter* w = futex_table().first(f.key); w != nullptr) return Error{EINVAL};
    if (tid_of(word) == 0) {
      const uint32_t mine = (word & FUTEX_OWNER_DIED) | static_cast<uint32_t>(by.shown_pid(who.tid)) |
                            (set_waiters ? FUTEX_WAITERS : 0);
      if (TRY(by.mem().cmpxchg32(f.addr, word, mine)) == word) return Attempt{.acquired = true};
      continue;
    }
    if ((word & FUTEX_WAITERS) == 0) {
      if (TRY(by.mem().cmpxchg32(f.addr, word, word | FUTEX_WAITERS)) != word) continue;
    }
    Task* owner = find_task(by, static_cast<pid_t>(tid_of(word)));
    if (owner == nullptr || owner->se.futex_gone || owner->exited) {
      const uint32_t again = TRY(by.mem().load32(f.addr));
      if (again != (word | FUTEX_WAITERS)) continue;  // its exit has written the word since
      return Error{ESRCH};
    }
    return Attempt{.state = &make_pi_state(f.key, *owner), .fresh = true};
  }
}

// The new owner of a lock whose owner died puts its own tid into the word.
Result<void> fix_word(Task& t, const FutexRef& f, PiWaiter& w) {
  w.state->word_stale = false;
  for (;;) {
    const uint32_t word = TRY(t.mem().load32(f.addr));
    const uint32_t mine = static_cast<uint32_t>(t.own_tid) | FUTEX_WAITERS | FUTEX_OWNER_DIED;
    if (TRY(t.mem().cmpxchg32(f.addr, word, mine)) == word) return {};
  }
}

// After the sleep on w.granted; mutex held. `interrupted` is what a signal makes of the call.
SysResult finish_wait(Task& t, const FutexRef& f, PiWaiter& w, Wake how, int interrupted) {
  if (!w.granted) {
    pi_dequeue(w);
    return Error{how == Wake::timeout ? ETIMEDOUT : interrupted};
  }
  Result<void> fixed;
  if (w.fix_word) fixed = fix_word(t, f, w);
  pi_release(w);
  TRY(fixed);
  return 0;
}

}  // namespace

SysResult futex_lock_pi(Task& t, const FutexRef& f, Deadline deadline, bool try_only) {
  PiWaiter w;
  w.task = &t;
  {
    MutexGuard guard(pi_mutex());
    const Attempt a = TRY(try_lock(t, t, f, false));
    if (a.acquired) return 0;
    if (try_only || pi_deadlock(t, *a.state)) {
      drop_if_fresh(a);
      return Error{try_only ? EAGAIN : EDEADLK};
    }
    pi_enqueue(*a.state, w);
  }
  const Wake how = sleep_until(w.granted, deadline);
  MutexGuard guard(pi_mutex());
  return finish_wait(t, f, w, how, ERESTARTNOINTR);
}

SysResult futex_unlock_pi(Task& t, const FutexRef& f) {
  MutexGuard guard(pi_mutex());
  for (;;) {
    const uint32_t word = TRY(t.mem().load32(f.addr));
    if (tid_of(word) != static_cast<uint32_t>(t.own_tid)) return Error{EPERM};
    PiState* state = find_pi_state(f.key);
    if (state == nullptr && futex_table().first(f.key) != nullptr) return Error{EINVAL};
    if (state == nullptr || state->waiters.empty()) {
      if (TRY(t.mem().cmpxchg32(f.addr, word, 0)) == word) return 0;
      continue;
    }
    if (state->owner != &t) return Error{EINVAL};
    const uint32_t next =
        static_cast<uint32_t>(t.shown_pid(state->waiters.front().task->tid)) | FUTEX_WAITERS;
    const uint32_t found = TRY(t.mem().cmpxchg32(f.addr, word, next));
    if (found == word) {
      pi_hand_over(*state);
      return 0;
    }
    if (tid_of(found) != tid_of(word)) return Error{EINVAL};
  }
}

SysResult futex_wait_requeue_pi(Task& t, const FutexRef& from, uint32_t expected, uint32_t bitset,
                                Deadline deadline, const FutexRef& to) {
  if (bitset == 0 || from.key == to.key) return Error{EINVAL};
  PiWaiter pi;
  pi.task = &t;
  FutexWaiter w;
  w.key = from.key;
  w.bitset = bitset;
  w.rank = t.se.rt_rank();
  w.sleeper = &t;
  w.requeue_pi = &pi;
  w.requeue_key = to.key;
  futex_table().add(w);
  const Result<uint32_t> word = t.mem().load32(from.addr);
  if (!word.ok() || word.value() != expected) {
    futex_table().remove(w);
    return word.ok() ? Error{EAGAIN} : word.error();
  }
  const Wake how = sleep_until(pi.granted, deadline);
  MutexGuard guard(pi_mutex());
  // Moved to the lock: granted or not, it is a waiter of that now.
  if (pi.state != nullptr) return finish_wait(t, to, pi, how, EAGAIN);
  if (pi.granted) return 0;
  futex_table().remove(w);
  return Error{how == Wake::timeout ? ETIMEDOUT : ERESTARTNOINTR};
}

SysResult futex_cmp_requeue_pi(Task& t, const FutexRef& from, uint32_t expected, const FutexRef& to,
                               int nr_requeue) {
  if (from.key == to.key) return Error{EINVAL};
  MutexGuard guard(pi_mutex());
  if (TRY(t.mem().load32(from.addr)) != expected) return Error{EAGAIN};
  const auto next_waiter = [&]() -> Result<FutexWaiter*> {
    FutexWaiter* w = futex_table().first(from.key);
    if (w != nullptr && (w->requeue_pi == nullptr || w->requeue_key != to.key)) return Error{EINVAL};
    return w;
  };
  FutexWaiter* w = TRY(next_waiter());
  if (w == nullptr) return 0;

  // The first one gets the lock if it is free; then the others wait for that one.
  Attempt a = TRY(try_lock(t, *w->requeue_pi->task, to, nr_requeue > 0));
  int done = 0;
  Task* new_owner = nullptr;
  if (a.acquired) {
    // Still there: a waiter leaves the table only with the mutex.
    new_owner = w->requeue_pi->task;
    futex_table().remove(*w);
    w->requeue_pi->granted = true;
    new_owner->wake_up();
    done = 1;
  }
  const int limit = nr_requeue + 1;  // the one that would be woken counts
  Result<void> error;
  while (done < limit && error.ok()) {
    const auto next = next_waiter();
    if (!next.ok()) error = next.error();
    if (!next.ok() || next.value() == nullptr) break;
    PiWaiter& pi = *next.value()->requeue_pi;
    if (a.state == nullptr) a = Attempt{.state = &make_pi_state(to.key, *new_owner), .fresh = true};
    if (pi_deadlock(*pi.task, *a.state)) {
      error = Error{EDEADLK};
      break;
    }
    futex_table().remove(*next.value());
    pi_enqueue(*a.state, pi);
    a.fresh = false;
    ++done;
  }
  if (a.state != nullptr) drop_if_fresh(a);
  TRY(error);
  return done;
}

}  // namespace starry
