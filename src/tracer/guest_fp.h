// Floating-point and vector registers of a guest thread that waits in the kernel.
#pragma once

#include <cstdint>
#include <vector>

#include "emulated_kernel/base/result.h"

namespace starry {

class Task;

// In the XSAVE format, as ptrace(2) shows it (NT_X86_XSTATE). EIO if it cannot be found.
Result<std::vector<uint8_t>> guest_fp_state(Task& t);

}  // namespace starry
