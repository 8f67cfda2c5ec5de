#include "emulated_kernel/entry/watched.h"

#include "emulated_kernel/entry/dispatch.h"
#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/task/seccomp.h"
#include "emulated_kernel/trace/inject.h"
#include "emulated_kernel/trace/tracer.h"

namespace starry {

bool call_is_watched(int64_t nr) {
  return trace_on() || inject_on() || anybody_is_traced() || seccomp_in_use() || syscall_replaced(nr);
}

}  // namespace starry
