// Registration of restartable sequences: rseq(2), as kernel/rseq.c has it.
#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/rseq.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr int UNREGISTER = 1;  // RSEQ_FLAG_UNREGISTER
constexpr uint32_t ORIGINAL_SIZE = 32;

SysResult unregister(Task& t, UserAddr area, uint32_t len, int flags, uint32_t sig) {
  if ((flags & ~UNREGISTER) != 0) return Error{EINVAL};
  if (t.rseq == 0 || t.rseq != area || t.rseq_len != len) return Error{EINVAL};
  if (t.rseq_sig != sig) return Error{EPERM};
  TRY(rseq_unregister(t));
  return 0;
}

}  // namespace

SysResult sys_rseq(Task& t, UserPtr<GuestRseq> rseq, uint32_t rseq_len, int flags, uint32_t sig) {
  if ((flags & UNREGISTER) != 0) return unregister(t, rseq.addr, rseq_len, flags, sig);
  if (flags != 0) return Error{EINVAL};
  if (t.rseq != 0) {
    if (t.rseq != rseq.addr || t.rseq_len != rseq_len) return Error{EINVAL};
    return Error{t.rseq_sig != sig ? EPERM : EBUSY};
  }
  if (rseq_len < ORIGINAL_SIZE || rseq.addr % RSEQ_ALIGN != 0) return Error{EINVAL};
  if (rseq.addr >= GUEST_TASK_SIZE || rseq_len > GUEST_TASK_SIZE - rseq.addr) return Error{EFAULT};
  rseq_register(t, rseq.addr, rseq_len, sig);
  return 0;
}

}  // namespace starry
