// Waiting for children (wait4(2), waitid(2)).
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/task/task.h"

namespace starry {

struct WaitRequest {
  enum class Who : uint8_t { any, process, pgrp } who = Who::any;
  pid_t id = 0;
  int options = 0;  // WNOHANG, WEXITED, WSTOPPED, WCONTINUED, WNOWAIT, __WALL, __WCLONE, __WNOTHREAD
};

struct WaitOutcome {
  pid_t pid = 0;  // its number for the caller; 0: nothing to report (WNOHANG)
  uint32_t uid = 0;
  int code = 0;    // CLD_*
  int status = 0;  // exit code or signal
  rusage usage{};
  int wait_status() const;  // as wait(2) reports it
};

// ECHILD, ERESTARTSYS.
Result<WaitOutcome> wait_for_child(Task& t, const WaitRequest& req);

}  // namespace starry
