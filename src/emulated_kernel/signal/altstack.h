// The alternate signal stack (sigaltstack(2)).
#pragma once

#include <cstdint>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/base/result.h"

namespace starry {

class Task;

inline constexpr int32_t ALT_ONSTACK = 1, ALT_DISABLE = 2, ALT_AUTODISARM = INT32_MIN;
inline constexpr uint64_t MIN_ALT_STACK = 2048;  // MINSIGSTKSZ

bool on_alt_stack(const Task& t, uint64_t sp);
// What sigaltstack reports as the old one.
GuestStackT alt_stack_state(const Task& t, uint64_t sp);
// EPERM while running on it, EINVAL, ENOMEM.
Result<void> set_alt_stack(Task& t, const GuestStackT& ss, uint64_t sp);
void reset_alt_stack(Task& t);

// Bytes that a signal frame takes at most: rt_sigframe, FP state, alignment (AT_MINSIGSTKSZ).
uint64_t signal_frame_size();

}  // namespace starry
