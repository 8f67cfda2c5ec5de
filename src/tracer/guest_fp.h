// Floating-point and vector registers of a guest thread that waits in the kernel.
#pragma once

#include <cstdint>
#include <vector>

#include "emulated_kernel/base/result.h"

namespace starry {

class Task;

// In the XSAVE format, as ptrace(2) shows it (NT_X86_XSTATE). EIO if it cannot be found. Suspends the fiber.
Result<std::vector<uint8_t>> guest_fp_state(Task& t);
// Replaces all of it, or with FXSAVE's 512 bytes that part (NT_PRFPREG). EINVAL: the processor would not load
// it; EFAULT: neither of the two sizes.
Result<void> set_guest_fp_state(Task& t, const std::vector<uint8_t>& state);

}  // namespace starry
