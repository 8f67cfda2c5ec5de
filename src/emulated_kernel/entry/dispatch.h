// From system-call numbers to handlers: abi/syscalls.def as a jump table.
#pragma once

#include <cstdint>

#include "emulated_kernel/base/result.h"

namespace starry {

class Task;

using SyscallFn = SysResult (*)(Task& t, const uint64_t args[6]);

// Converts the six registers to the handler's parameter types (a 32-bit parameter takes the lower
// half, as the C calling convention does) and calls it. nullptr if the call is not implemented.
SyscallFn syscall_handler(int64_t nr);

}  // namespace starry
