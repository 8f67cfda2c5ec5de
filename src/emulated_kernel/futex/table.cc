#include "emulated_kernel/futex/table.h"

#include <memory>

#include "emulated_kernel/platform.h"

namespace starry {

void count_futex_waiters(const FutexKey& key, int change) {
  if (key.kind == FutexKey::Kind::private_op) platform().futex_waiters(key.offset, change);
}

void FutexTable::add(FutexWaiter& w) {
  Bucket& b = bucket(w.key);
  count_futex_waiters(w.key, 1);
  auto before = b.end();
  while (before != b.begin() && std::prev(before)->rank < w.rank) --before;
  b.insert(before, w);
}

void FutexTable::remove(FutexWaiter& w) {
  if (!w.is_linked()) return;
  Bucket& b = bucket(w.key);
  b.erase(b.iterator_to(w));
  count_futex_waiters(w.key, -1);
}

FutexWaiter* FutexTable::first(const FutexKey& key) {
  for (FutexWaiter& w : bucket(key)) {
    if (w.key == key) return &w;
  }
  return nullptr;
}

void FutexTable::wake_one(FutexWaiter& w) {
  remove(w);
  w.woken = true;
  if (w.also_set != nullptr) *w.also_set = true;
  w.sleeper->wake_up();
}

Result<int> FutexTable::wake(const FutexKey& key, int count, uint32_t bitset) {
  Bucket& b = bucket(key);
  int woken = 0;
  platform().futex_wakes();
  for (auto it = b.begin(); it != b.end();) {
    FutexWaiter& w = *it++;
    if (w.key != key) continue;
    if (w.requeue_pi != nullptr) return Error{EINVAL};
    if ((w.bitset & bitset) == 0) continue;
    wake_one(w);
    if (++woken >= count) break;
  }
  return woken;
}

Result<int> FutexTable::requeue(const FutexKey& from, const FutexKey& to, int nr_wake, int nr_requeue) {
  Bucket& b = bucket(from);
  int done = 0;
  platform().futex_wakes();
  for (auto it = b.begin(); it != b.end();) {
    if (done - nr_wake >= nr_requeue) break;
    FutexWaiter& w = *it++;
    if (w.key != from) continue;
    if (w.requeue_pi != nullptr) return Error{EINVAL};
    if (++done <= nr_wake) {
      wake_one(w);
    } else if (from != to) {
      remove(w);
      w.key = to;
      add(w);
    }
  }
  return done;
}

Result<void> futex_wait(FutexTable& table, UserMemory& mem, const FutexKey& key, UserAddr addr,
                        uint32_t expected, uint32_t bitset, Deadline deadline, int rank) {
  FutexWaiter w;
  w.key = key;
  w.bitset = bitset;
  w.rank = rank;
  w.sleeper = &current_sleeper();
  // First in the queue, then the look at the word: no wake-up is lost in between.
  table.add(w);
  const Result<uint32_t> word = mem.futex_word(addr);
  if (!word.ok() || word.value() != expected) {
    table.remove(w);
    return word.ok() ? Error{EAGAIN} : word.error();
  }
  const Wake how = sleep_until(w.woken, deadline);
  table.remove(w);
  if (w.woken) return {};
  return Error{how == Wake::timeout ? ETIMEDOUT : ERESTARTSYS};
}

Result<int> futex_wait_multiple(FutexTable& table, UserMemory& mem, const FutexWaitvEntry* entries,
                                size_t count, Deadline deadline, int rank) {
  const auto waiters = std::make_unique<FutexWaiter[]>(count);
  bool any = false;
  Result<void> refused;
  for (size_t i = 0; i < count && refused.ok(); i++) {
    FutexWaiter& w = waiters[i];
    w.key = entries[i].key;
    w.rank = rank;
    w.sleeper = &current_sleeper();
    w.also_set = &any;
    table.add(w);
    const Result<uint32_t> word = mem.load32(entries[i].addr);
    if (!word.ok())
      refused = word.error();
    else if (word.value() != entries[i].expected)
      refused = Error{EAGAIN};
  }
  const Wake how = refused.ok() ? sleep_until(any, deadline) : Wake::event;
  int woken = -1;
  for (size_t i = 0; i < count; i++) {
    table.remove(waiters[i]);
    if (waiters[i].woken) woken = static_cast<int>(i);
  }
  if (woken >= 0) return woken;
  TRY(refused);
  return Error{how == Wake::timeout ? ETIMEDOUT : ERESTARTSYS};
}

}  // namespace starry
