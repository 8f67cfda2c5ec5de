// Arguments of execve(2) from guest memory, within its limits ("Limits on size of arguments and
// environment").
#pragma once

#include <string>
#include <vector>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/base/user_ptr.h"

namespace starry {

class Task;

inline constexpr size_t MAX_ARG_STRLEN = 131072;

struct ExecArgs {
  std::vector<std::string> argv, envp;
};

// EFAULT, E2BIG. An empty argv becomes {""} as since Linux 5.18.
Result<ExecArgs> read_exec_args(Task& t, UserAddr argv, UserAddr envp, size_t path_len);
// The same limits for arguments that come from the kernel itself.
Result<void> check_exec_size(Task& t, const ExecArgs& args, size_t path_len);

}  // namespace starry
