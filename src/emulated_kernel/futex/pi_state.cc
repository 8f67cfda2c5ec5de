#include "emulated_kernel/futex/pi_state.h"

#include <algorithm>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

PiState* all_states = nullptr;

// No chain of locks is longer (max_lock_depth).
constexpr int MAX_CHAIN = 1024;

void set_owner(PiState& state, Task* owner) {
  if (state.owner != nullptr) {
    PiState** link = &state.owner->se.pi_held;
    while (*link != &state) link = &(*link)->next_held;
    *link = state.next_held;
  }
  state.owner = owner;
  if (owner == nullptr) return;
  state.next_held = owner->se.pi_held;
  owner->se.pi_held = &state;
}

void insert_by_rank(PiState& state, PiWaiter& w) {
  auto before = state.waiters.end();
  while (before != state.waiters.begin() && std::prev(before)->rank < w.rank) --before;
  state.waiters.insert(before, w);
}

// The highest priority among those that wait for a lock of `t`.
int inherited(const Task& t) {
  int rank = 0;
  for (const PiState* s = t.se.pi_held; s != nullptr; s = s->next_held) {
    if (!s->waiters.empty()) rank = std::max(rank, s->waiters.front().rank);
  }
  return rank;
}

// Gives `t` what it inherits now, and on along the chain as long as something changes.
void update_owner(Task* t) {
  for (int depth = 0; t != nullptr && depth < MAX_CHAIN; depth++) {
    const int before = t->se.rt_rank();
    scheduler().set_pi_priority(t->se, inherited(*t), platform().monotonic_ns());
    PiWaiter* w = t->se.pi_blocked_on;
    if (w == nullptr || t->se.rt_rank() == before) return;
    w->state->waiters.erase(w->state->waiters.iterator_to(*w));
    w->rank = t->se.rt_rank();
    insert_by_rank(*w->state, *w);
    t = w->state->owner;
  }
}

}  // namespace

Mutex& pi_mutex() {
  static Mutex m;
  return m;
}

PiState* find_pi_state(const FutexKey& key) {
  for (PiState* s = all_states; s != nullptr; s = s->next) {
    if (s->key == key) return s;
  }
  return nullptr;
}

PiState& make_pi_state(const FutexKey& key, Task& owner) {
  auto* s = new PiState;
  s->key = key;
  s->next = all_states;
  all_states = s;
  set_owner(*s, &owner);
  count_futex_waiters(key, 1);  // FUTEX_WAKE is an error while there are any
  return *s;
}

bool pi_deadlock(const Task& t, const PiState& state) {
  const PiState* s = &state;
  for (int depth = 0; depth < MAX_CHAIN; depth++) {
    if (s->owner == &t) return true;
    if (s->owner == nullptr || s->owner->se.pi_blocked_on == nullptr) return false;
    s = s->owner->se.pi_blocked_on->state;
  }
  return true;
}

void pi_enqueue(PiState& state, PiWaiter& w) {
  w.state = &state;
  w.rank = w.task->se.rt_rank();
  ++state.users;
  w.task->se.pi_blocked_on = &w;
  insert_by_rank(state, w);
  update_owner(state.owner);
}

void pi_dequeue(PiWaiter& w) {
  w.state->waiters.erase(w.state->waiters.iterator_to(w));
  w.task->se.pi_blocked_on = nullptr;
  update_owner(w.state->owner);
  pi_release(w);
}

PiWaiter& pi_hand_over(PiState& state) {
  PiWaiter& w = state.waiters.front();
  Task* old = state.owner;
  state.waiters.pop_front();
  w.granted = true;
  w.task->se.pi_blocked_on = nullptr;
  set_owner(state, w.task);
  update_owner(old);
  update_owner(w.task);
  w.task->wake_up();
  return w;
}

void pi_release(PiWaiter& w) {
  PiState* s = w.state;
  w.state = nullptr;
  if (--s->users > 0) return;
  CHECK(s->waiters.empty());
  Task* owner = s->owner;
  set_owner(*s, nullptr);
  update_owner(owner);
  PiState** link = &all_states;
  while (*link != s) link = &(*link)->next;
  *link = s->next;
  count_futex_waiters(s->key, -1);
  delete s;
}

void pi_rank_changed(Task& t) {
  PiWaiter* w = t.se.pi_blocked_on;
  if (w == nullptr || w->rank == t.se.rt_rank()) return;
  w->state->waiters.erase(w->state->waiters.iterator_to(*w));
  w->rank = t.se.rt_rank();
  insert_by_rank(*w->state, *w);
  update_owner(w->state->owner);
}

void futex_pi_owner_gone(Task& t) {
  MutexGuard guard(pi_mutex());
  t.se.futex_gone = t.exiting;
  while (PiState* state = t.se.pi_held) {
    CHECK(!state->waiters.empty());  // a state without waiters goes away, see pi_release
    state->word_stale = true;
    pi_hand_over(*state).fix_word = true;
  }
}

void futex_priority_changed(Task& t) { pi_rank_changed(t); }

bool futex_is_pi(const FutexKey& key) { return find_pi_state(key) != nullptr; }

}  // namespace starry
