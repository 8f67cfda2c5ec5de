// Robust futexes (get_robust_list(2), Documentation/locking/robust-futex-ABI): what a thread still
// holds when it ends is marked FUTEX_OWNER_DIED, and one waiter is told.
#include <linux/futex.h>

#include "emulated_kernel/futex/futex.h"
#include "emulated_kernel/futex/pi.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr int MAX_ENTRIES = 2048;  // ROBUST_LIST_LIMIT: lists may be circular or damaged

struct ListHead {  // struct robust_list_head
  uint64_t next;
  int64_t futex_offset;
  uint64_t list_op_pending;
};

// Entries are pointers whose lowest bit says "PI".
constexpr uint64_t PI_BIT = 1;

// handle_futex_death(). False: the list cannot be trusted any further.
bool owner_died(Task& t, UserAddr addr, bool pi, bool pending) {
  if (addr % sizeof(uint32_t) != 0) return false;
  for (;;) {
    const Result<uint32_t> word = t.mem().load32(addr);
    if (!word.ok()) return false;
    // Between unlocking in user space and waking: the waiter would be forgotten.
    if (pending && !pi && word.value() == 0) {
      futex_wake_address(t, addr, 1);
      return true;
    }
    if ((word.value() & FUTEX_TID_MASK) != static_cast<uint32_t>(t.own_tid)) return true;
    const uint32_t dead = (word.value() & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    const Result<uint32_t> found = t.mem().cmpxchg32(addr, word.value(), dead);
    if (!found.ok()) return false;
    if (found.value() != word.value()) continue;
    if (!pi && (word.value() & FUTEX_WAITERS) != 0) futex_wake_address(t, addr, 1);
    return true;
  }
}

void walk_robust_list(Task& t) {
  const UserAddr head_addr = t.robust_list;
  const Result<ListHead> head = t.mem().get(UserPtr<ListHead>{head_addr});
  if (!head.ok()) return;
  const auto [first, offset, pending] = head.value();
  const auto futex_of = [&](uint64_t entry) { return (entry & ~PI_BIT) + static_cast<uint64_t>(offset); };
  uint64_t entry = first;
  for (int n = 0; (entry & ~PI_BIT) != head_addr && n < MAX_ENTRIES; n++) {
    // The next one is fetched first: the entry is the waiter's after its wake-up.
    const Result<uint64_t> next = t.mem().get(UserPtr<uint64_t>{entry & ~PI_BIT});
    if ((entry & ~PI_BIT) != (pending & ~PI_BIT) &&
        !owner_died(t, futex_of(entry), (entry & PI_BIT) != 0, false))
      return;
    if (!next.ok()) return;
    entry = next.value();
  }
  if ((pending & ~PI_BIT) != 0) owner_died(t, futex_of(pending), (pending & PI_BIT) != 0, true);
}

}  // namespace

FutexTable& futex_table() {
  static FutexTable table;
  return table;
}

void futex_exit_task(Task& t) {
  if (t.robust_list != 0) walk_robust_list(t);
  t.robust_list = 0;
  if (t.se.pi_held != nullptr || t.exiting) futex_pi_owner_gone(t);
}

void futex_wake_address(Task& t, UserAddr addr, int count) {
  const Result<FutexKey> key = futex_key(*t.mm, addr, true);
  if (key.ok() && !futex_is_pi(key.value())) (void)futex_table().wake(key.value(), count);
}

}  // namespace starry
