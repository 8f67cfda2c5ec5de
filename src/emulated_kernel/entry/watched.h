// Whether somebody has to see a system call, so that nothing below the kernel may answer it.
#pragma once

#include <cstdint>

namespace starry {

// While calls are logged or injected, a task is traced, a task has a seccomp filter, or a profile or report
// changes what this call does.
bool call_is_watched(int64_t nr);

}  // namespace starry
