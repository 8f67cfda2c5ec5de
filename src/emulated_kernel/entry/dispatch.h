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

// Puts `fn` in the place of a call's handler, implemented or not, and gives back what was there. What
// profiles and --report are made of: while nobody uses it the table is as compiled.
SyscallFn replace_syscall(int64_t nr, SyscallFn fn);
// True if something else than the handler serves the call: then nobody may answer it on the way.
bool syscall_replaced(int64_t nr);
// The call as the emulated kernel itself serves it, whatever replaced it. ENOSYS if it does not.
SysResult emulated_syscall(Task& t, const uint64_t args[6]);

}  // namespace starry
