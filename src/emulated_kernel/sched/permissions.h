// Who may change whose scheduling: sched(7), "Privileges and resource limits".
#pragma once

#include "emulated_kernel/base/result.h"

namespace starry {

class Task;

// What sched_setscheduler(2) and its family ask for.
struct SchedRequest {
  int policy = 0;
  int priority = 0;
  int nice = 0;
  bool reset_on_fork = false;
};

// The caller's effective uid is the target's real or effective one.
bool sched_same_owner(const Task& by, const Task& target);
bool may_set_affinity(const Task& by, const Task& target);
// Ok or EPERM. The request itself has been checked.
Result<void> may_set_policy(const Task& by, const Task& target, const SchedRequest& request);

}  // namespace starry
