// Making threads and processes: fork(2), vfork(2), clone(2), clone3(2).
#pragma once

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/base/result.h"

namespace starry {

class Task;

// The one implementation behind all of them; `args` in the form of clone3, `stack` being the new stack
// pointer (0: the parent's). Returns the child's tid in the parent.
SysResult kernel_clone(Task& parent, const CloneArgs& args);

}  // namespace starry
