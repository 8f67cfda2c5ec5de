// Who waits on which futex: hash buckets of intrusive lists, each in the order of wake-ups: by
// real-time priority, then first come, first served. Waiters live on the stacks of their fibers, so
// waiting and waking allocate nothing.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/base/user_ptr.h"
#include "emulated_kernel/futex/key.h"
#include "emulated_kernel/sync/wait.h"

namespace starry {

inline constexpr uint32_t FUTEX_ANY = ~0U;  // FUTEX_BITSET_MATCH_ANY

struct PiWaiter;

struct FutexWaiter
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::safe_link>> {
  FutexKey key;
  uint32_t bitset = FUTEX_ANY;
  int rank = 0;  // real-time priority, 0 for the others
  Sleeper* sleeper = nullptr;
  bool woken = false;              // taken out of the table by a wake-up
  bool* also_set = nullptr;        // futex_waitv: one flag for all its waiters
  PiWaiter* requeue_pi = nullptr;  // FUTEX_WAIT_REQUEUE_PI: what it becomes on the target
  FutexKey requeue_key;            // and the only target that it may be moved to
};

// Platform::futex_waiters() for those of a private futex.
void count_futex_waiters(const FutexKey& key, int change);

class FutexTable {
 public:
  void add(FutexWaiter& w);
  void remove(FutexWaiter& w);
  // The next to be woken; nullptr if nobody waits.
  FutexWaiter* first(const FutexKey& key);

  // Wakes up to `count` waiters (at least one, as Linux does) whose bitset meets `bitset`. EINVAL
  // for waiters that only FUTEX_CMP_REQUEUE_PI may wake.
  Result<int> wake(const FutexKey& key, int count, uint32_t bitset = FUTEX_ANY);
  // Wakes `nr_wake` and lets `nr_requeue` more wait on `to` instead. Returns how many in all.
  Result<int> requeue(const FutexKey& from, const FutexKey& to, int nr_wake, int nr_requeue);

 private:
  static constexpr size_t BUCKETS = 1024;
  using Bucket = boost::intrusive::list<FutexWaiter, boost::intrusive::constant_time_size<false>>;
  Bucket& bucket(const FutexKey& key) { return buckets_[key.hash() % BUCKETS]; }
  void wake_one(FutexWaiter& w);

  std::array<Bucket, BUCKETS> buckets_;
};

// FUTEX_WAIT: sleeps while the word at `addr` is `expected`, until woken. EAGAIN if it is not,
// EFAULT, ETIMEDOUT, ERESTARTSYS.
Result<void> futex_wait(FutexTable& table, UserMemory& mem, const FutexKey& key, UserAddr addr,
                        uint32_t expected, uint32_t bitset, Deadline deadline, int rank);

// One element of futex_waitv(2).
struct FutexWaitvEntry {
  FutexKey key;
  UserAddr addr = 0;
  uint32_t expected = 0;
};
// Sleeps on up to 128 futexes; returns the index of one that was woken.
Result<int> futex_wait_multiple(FutexTable& table, UserMemory& mem, const FutexWaitvEntry* entries,
                                size_t count, Deadline deadline, int rank);

}  // namespace starry
