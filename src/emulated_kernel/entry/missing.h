// Calls that cannot be served: the kernel does not have them, or the modelled kernel would panic.
#pragma once

#include <functional>
#include <string_view>

#include "emulated_kernel/base/result.h"

namespace starry {

class Task;

// For a call that the emulated kernel does not have: one warning for each number, and ENOSYS.
SysResult missing_syscall(Task& t);

// The modelled kernel cannot go on from the current call of `t`: says so with the call and its stack, and
// kills everybody. The result is for the call; nobody will see it.
SysResult kernel_panic(Task& t, std::string_view why);
// Called by kernel_panic() first.
void on_kernel_panic(std::function<void()> hook);

}  // namespace starry
