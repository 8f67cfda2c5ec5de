// I/O priorities (ioprio_set(2)): kept and shown, as they are on Linux without an I/O scheduler.
#include <linux/capability.h>

#include <algorithm>
#include <vector>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr int WHO_PROCESS = 1, WHO_PGRP = 2, WHO_USER = 3;
constexpr int CLASS_SHIFT = 13, CLASS_NONE = 0, CLASS_RT = 1, CLASS_BE = 2, CLASS_IDLE = 3, LEVELS = 8;

// ESRCH: nobody; EINVAL.
Result<std::vector<Task*>> targets(Task& t, int which, int who) {
  std::vector<Task*> found;
  if (which == WHO_PROCESS) {
    if (Task* x = who == 0 ? &t : find_task(t, who)) found.push_back(x);
  } else if (which == WHO_PGRP || which == WHO_USER) {
    const auto uid = who == 0 ? t.cred->uid : t.cred->user_ns->kuid(static_cast<uint32_t>(who));
    const pid_t pgid = who == 0 ? t.group->pgid : t.kernel_pid(who);
    for_each_group([&](ThreadGroup& g) {
      for (Task* x : g.threads)
        if (which == WHO_PGRP ? g.pgid == pgid : x->cred->uid == uid) found.push_back(x);
    });
  } else {
    return Error{EINVAL};
  }
  if (found.empty()) return Error{ESRCH};
  return found;
}

// Without an own priority it follows from the nice value.
int effective(const Task& x) {
  if (x.ioprio >> CLASS_SHIFT != CLASS_NONE) return x.ioprio;
  return CLASS_BE << CLASS_SHIFT | (x.se.nice + 20) / 5;
}

}  // namespace

SysResult sys_ioprio_set(Task& t, int which, int who, int ioprio) {
  const int level = ioprio & (LEVELS - 1);
  switch (ioprio >> CLASS_SHIFT) {
    case CLASS_RT:
      if (!t.cred->capable(CAP_SYS_ADMIN) && !t.cred->capable(CAP_SYS_NICE)) return Error{EPERM};
      break;
    case CLASS_BE:
    case CLASS_IDLE:
      break;
    case CLASS_NONE:
      if (level != 0) return Error{EINVAL};
      break;
    default:
      return Error{EINVAL};
  }
  for (Task* x : TRY(targets(t, which, who))) {
    if (x->cred->uid != t.cred->euid && x->cred->uid != t.cred->uid && !t.cred->capable(CAP_SYS_NICE))
      return Error{EPERM};
    x->ioprio = ioprio;
  }
  return 0;
}

SysResult sys_ioprio_get(Task& t, int which, int who) {
  int best = 0;
  for (const Task* x : TRY(targets(t, which, who))) {
    const int prio = which == WHO_PROCESS ? x->ioprio : effective(*x);
    best = best == 0 ? prio : std::min(best, prio);
  }
  return best;
}

}  // namespace starry
