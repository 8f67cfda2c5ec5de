// futex(2), futex_waitv(2) and robust lists.
#include <linux/capability.h>
#include <linux/futex.h>
#include <time.h>

#include <array>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/timespec.h"
#include "emulated_kernel/futex/futex.h"
#include "emulated_kernel/futex/pi.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/time/clock.h"

namespace starry {

namespace {

constexpr int LOCK_PI2 = 13;  // FUTEX_LOCK_PI2, Linux 5.14
constexpr size_t ROBUST_HEAD_SIZE = 24;

int64_t sign_extend_12(uint32_t v) { return static_cast<int32_t>(v << 20) >> 20; }

bool has_timeout(int cmd) {
  return cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI || cmd == LOCK_PI2 ||
         cmd == FUTEX_WAIT_REQUEUE_PI;
}

// FUTEX_WAIT's timeout is relative; all others are points in time, FUTEX_LOCK_PI's always of
// CLOCK_REALTIME.
Result<Deadline> read_deadline(Task& t, int cmd, bool realtime, UserAddr timeout) {
  if (timeout == 0) return Deadline::never();
  const timespec ts = TRY(t.mem().get(UserPtr<timespec>{timeout}));
  if (!timespec_valid(ts)) return Error{EINVAL};
  const uint64_t ns = timespec_to_ns(ts);
  if (cmd == FUTEX_WAIT) return Deadline::after(ns);
  if (realtime || cmd == FUTEX_LOCK_PI) return realtime_deadline(ns);
  return Deadline::at(ns);
}

SysResult wait(Task& t, UserAddr addr, bool shared, uint32_t val, uint32_t bitset, Deadline deadline) {
  if (bitset == 0) return Error{EINVAL};
  const FutexKey key = TRY(futex_key(*t.mm, addr, shared));
  const Result<void> r = futex_wait(futex_table(), t.mem(), key, addr, val, bitset, deadline, t.se.rt_rank());
  if (r.ok()) return 0;
  if (r.code() != ERESTARTSYS || deadline.is_never()) return r.error();
  // Goes on with what is left of the time.
  t.restart_block = [=](Task& self) { return wait(self, addr, shared, val, bitset, deadline); };
  return Error{ERESTART_RESTARTBLOCK};
}

SysResult wake(Task& t, UserAddr addr, bool shared, int count, uint32_t bitset) {
  if (bitset == 0) return Error{EINVAL};
  const FutexKey key = TRY(futex_key(*t.mm, addr, shared));
  if (futex_is_pi(key)) return Error{EINVAL};
  return TRY(futex_table().wake(key, count, bitset));
}

// futex_atomic_op_inuser(): changes the word as `encoded` says and compares its old value. The result
// is whether the second wake-up happens.
Result<bool> modify_and_compare(Task& t, UserAddr addr, uint32_t encoded) {
  const uint32_t op = (encoded >> 28) & 7, cmp = (encoded >> 24) & 15;
  int64_t arg = sign_extend_12((encoded >> 12) & 0xfff);
  const int64_t cmp_arg = sign_extend_12(encoded & 0xfff);
  if ((encoded >> 31) != 0) arg = static_cast<int64_t>(1U << (arg & 31));  // FUTEX_OP_OPARG_SHIFT
  const auto operand = static_cast<uint32_t>(arg);
  uint32_t old = TRY(t.mem().load32(addr));
  for (;;) {
    uint32_t next;
    switch (op) {
      case FUTEX_OP_SET:
        next = operand;
        break;
      case FUTEX_OP_ADD:
        next = old + operand;
        break;
      case FUTEX_OP_OR:
        next = old | operand;
        break;
      case FUTEX_OP_ANDN:
        next = old & ~operand;
        break;
      case FUTEX_OP_XOR:
        next = old ^ operand;
        break;
      default:
        return Error{ENOSYS};
    }
    const uint32_t found = TRY(t.mem().cmpxchg32(addr, old, next));
    if (found == old) break;
    old = found;
  }
  const auto value = static_cast<int32_t>(old);
  switch (cmp) {
    case FUTEX_OP_CMP_EQ:
      return value == cmp_arg;
    case FUTEX_OP_CMP_NE:
      return value != cmp_arg;
    case FUTEX_OP_CMP_LT:
      return value < cmp_arg;
    case FUTEX_OP_CMP_GE:
      return value >= cmp_arg;
    case FUTEX_OP_CMP_LE:
      return value <= cmp_arg;
    case FUTEX_OP_CMP_GT:
      return value > cmp_arg;
    default:
      return Error{ENOSYS};
  }
}

SysResult wake_op(Task& t, const FutexRef& a, const FutexRef& b, int count_a, int count_b, uint32_t encoded) {
  const bool second = TRY(modify_and_compare(t, b.addr, encoded));
  if (futex_is_pi(a.key) || (second && futex_is_pi(b.key))) return Error{EINVAL};
  int woken = TRY(futex_table().wake(a.key, count_a));
  if (second) woken += TRY(futex_table().wake(b.key, count_b));
  return woken;
}

// FUTEX_REQUEUE, and FUTEX_CMP_REQUEUE if `expected` is given.
SysResult requeue(Task& t, const FutexRef& from, const FutexRef& to, int nr_wake, int nr_requeue,
                  const uint32_t* expected) {
  if (nr_wake < 0 || nr_requeue < 0) return Error{EINVAL};
  if (expected != nullptr && TRY(t.mem().load32(from.addr)) != *expected) return Error{EAGAIN};
  if (futex_is_pi(from.key)) return Error{EINVAL};
  return TRY(futex_table().requeue(from.key, to.key, nr_wake, nr_requeue));
}

bool may_see_robust_list(const Task& by, const Task& target) {
  if (by.group == target.group || by.cred->capable_in(*target.cred->user_ns, CAP_SYS_PTRACE)) return true;
  const Cred& a = *by.cred;
  const Cred& b = *target.cred;
  return a.uid == b.euid && a.uid == b.suid && a.uid == b.uid && a.gid == b.egid && a.gid == b.sgid &&
         a.gid == b.gid;
}

}  // namespace

SysResult sys_futex(Task& t, UserPtr<uint32_t> uaddr, int op, uint32_t val, uint64_t timeout,
                    UserPtr<uint32_t> uaddr2, uint32_t val3) {
  const int cmd = op & FUTEX_CMD_MASK;
  const bool shared = (op & FUTEX_PRIVATE_FLAG) == 0;
  const bool realtime = (op & FUTEX_CLOCK_REALTIME) != 0;
  Deadline deadline;
  if (has_timeout(cmd)) deadline = TRY(read_deadline(t, cmd, realtime, timeout));
  if (realtime && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_WAIT_REQUEUE_PI && cmd != LOCK_PI2)
    return Error{ENOSYS};

  const UserAddr addr = uaddr.addr;
  const auto count = static_cast<int>(val);
  const auto count2 = static_cast<int>(timeout);  // val2: the same register
  const auto ref = [&](UserAddr a) -> Result<FutexRef> {
    return FutexRef{TRY(futex_key(*t.mm, a, shared)), a};
  };
  switch (cmd) {
    case FUTEX_WAIT:
      return wait(t, addr, shared, val, FUTEX_ANY, deadline);
    case FUTEX_WAIT_BITSET:
      return wait(t, addr, shared, val, val3, deadline);
    case FUTEX_WAKE:
      return wake(t, addr, shared, count, FUTEX_ANY);
    case FUTEX_WAKE_BITSET:
      return wake(t, addr, shared, count, val3);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE: {
      if (count < 0 || count2 < 0) return Error{EINVAL};
      const FutexRef from = TRY(ref(addr)), to = TRY(ref(uaddr2.addr));
      return requeue(t, from, to, count, count2, cmd == FUTEX_CMP_REQUEUE ? &val3 : nullptr);
    }
    case FUTEX_WAKE_OP: {
      const FutexRef a = TRY(ref(addr)), b = TRY(ref(uaddr2.addr));
      return wake_op(t, a, b, count, count2, val3);
    }
    case FUTEX_LOCK_PI:
    case LOCK_PI2:
      return futex_lock_pi(t, TRY(ref(addr)), deadline, false);
    case FUTEX_TRYLOCK_PI:
      return futex_lock_pi(t, TRY(ref(addr)), Deadline::never(), true);
    case FUTEX_UNLOCK_PI:
      return futex_unlock_pi(t, TRY(ref(addr)));
    case FUTEX_WAIT_REQUEUE_PI: {
      if (addr == uaddr2.addr) return Error{EINVAL};
      const FutexRef to = TRY(ref(uaddr2.addr)), from = TRY(ref(addr));
      return futex_wait_requeue_pi(t, from, val, FUTEX_ANY, deadline, to);
    }
    case FUTEX_CMP_REQUEUE_PI: {
      if (count < 0 || count2 < 0 || addr == uaddr2.addr || count != 1) return Error{EINVAL};
      const FutexRef from = TRY(ref(addr)), to = TRY(ref(uaddr2.addr));
      return futex_cmp_requeue_pi(t, from, val3, to, count2);
    }
    default:
      return Error{ENOSYS};
  }
}

SysResult sys_futex_waitv(Task& t, UserPtr<const GuestFutexWaitv> waiters, unsigned nr_futexes,
                          unsigned flags, UserPtr<const timespec> timeout, int clockid) {
  constexpr unsigned MAX = 128;                                   // FUTEX_WAITV_MAX
  constexpr uint32_t SIZE_U32 = 2, PRIVATE = FUTEX_PRIVATE_FLAG;  // FUTEX_32
  if (flags != 0 || nr_futexes == 0 || nr_futexes > MAX || !waiters) return Error{EINVAL};
  Deadline deadline;
  if (timeout) {
    if (clockid != CLOCK_REALTIME && clockid != CLOCK_MONOTONIC) return Error{EINVAL};
    const timespec ts = TRY(t.mem().get(timeout.cast<timespec>()));
    if (!timespec_valid(ts)) return Error{EINVAL};
    const uint64_t ns = timespec_to_ns(ts);
    deadline = clockid == CLOCK_REALTIME ? realtime_deadline(ns) : Deadline::at(ns);
  }
  std::array<GuestFutexWaitv, MAX> user;
  TRY(t.mem().read(waiters.addr, user.data(), nr_futexes * sizeof(GuestFutexWaitv)));
  std::array<FutexWaitvEntry, MAX> entries;
  for (unsigned i = 0; i < nr_futexes; i++) {
    const GuestFutexWaitv& w = user[i];
    if ((w.flags & ~(SIZE_U32 | PRIVATE)) != 0 || w.reserved != 0 || (w.flags & SIZE_U32) == 0)
      return Error{EINVAL};
    entries[i].addr = w.uaddr;
    entries[i].expected = static_cast<uint32_t>(w.val);
  }
  for (unsigned i = 0; i < nr_futexes; i++)
    entries[i].key = TRY(futex_key(*t.mm, entries[i].addr, (user[i].flags & PRIVATE) == 0));
  return TRY(
      futex_wait_multiple(futex_table(), t.mem(), entries.data(), nr_futexes, deadline, t.se.rt_rank()));
}

SysResult sys_set_robust_list(Task& t, uint64_t head, size_t len) {
  if (len != ROBUST_HEAD_SIZE) return Error{EINVAL};
  t.robust_list = head;
  t.robust_list_len = len;
  return 0;
}

SysResult sys_get_robust_list(Task& t, int pid, UserPtr<UserAddr> head_ptr, UserPtr<size_t> len_ptr) {
  const Task* target = pid == 0 ? &t : find_task(t, pid);
  if (target == nullptr) return Error{ESRCH};
  if (!may_see_robust_list(t, *target)) return Error{EPERM};
  TRY(t.mem().put(len_ptr, ROBUST_HEAD_SIZE));
  TRY(t.mem().put(head_ptr, target->robust_list));
  return 0;
}

}  // namespace starry
