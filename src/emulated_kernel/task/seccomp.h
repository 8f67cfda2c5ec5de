// Filters of system calls that a guest gives itself (seccomp(2), prctl(2) PR_SET_SECCOMP). They form a chain
// that threads and children inherit; each filter sees every call, and the strictest answer counts.
#pragma once

#include <linux/filter.h>

#include <memory>
#include <vector>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/base/user_ptr.h"

namespace starry {

class Task;

class SeccompFilter {
 public:
  std::vector<sock_filter> program;
  std::shared_ptr<const SeccompFilter> previous;
  size_t instructions = 0;  // of the whole chain, with a penalty for each filter
};

// What is to be done with the call in t.call.
struct SeccompVerdict {
  bool run = true;      // execute the call
  bool silent = false;  // registers stay as they are: SIGSYS is pending, or the task is gone
  SysResult result = 0;
};
SeccompVerdict seccomp_check(Task& t);

// seccomp(2) without its decoding. EACCES, EINVAL, EFAULT, ENOMEM; with TSYNC the tid of a thread that
// cannot follow.
SysResult seccomp_set_strict(Task& t);
SysResult seccomp_set_filter(Task& t, unsigned flags, UserAddr fprog);
// True once any guest has a filter: from then on the kernel must see every call.
bool seccomp_in_use();
int seccomp_mode(const Task& t);  // SECCOMP_MODE_*
int seccomp_filter_count(const Task& t);

}  // namespace starry
