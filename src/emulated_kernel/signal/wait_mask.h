// The signal mask that ppoll(2), pselect(2) and epoll_pwait(2) put in place for the time of the call.
#pragma once

#include "emulated_kernel/base/user_ptr.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/task.h"

namespace starry {

// Blocks what the guest's mask says until restore_wait_mask(). A null mask: no change. EINVAL for a
// wrong size, EFAULT.
inline Result<void> set_wait_mask(Task& t, UserPtr<const uint64_t> mask, size_t size) {
  if (!mask) return {};
  if (size != sizeof(SigSet)) return Error{EINVAL};
  const SigSet set = TRY(t.mem().get(UserPtr<uint64_t>{mask.addr}));
  t.sig.saved_mask = t.sig.blocked;
  t.sig.restore_saved = true;
  set_blocked(t, set);
  return {};
}

// At the end of the call. If a signal ended it, the signal is still to be delivered under the temporary
// mask: then the old one comes back with the handler's return (signal/deliver.cc).
inline void restore_wait_mask(Task& t, bool interrupted) {
  if (interrupted || !t.sig.restore_saved) return;
  t.sig.restore_saved = false;
  set_blocked(t, t.sig.saved_mask);
}

}  // namespace starry
