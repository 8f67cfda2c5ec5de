// I/O priorities (ioprio_set(2)): kept and shown, as they are on Linux without an I/O scheduler. kcmp(2).
#include <linux/capability.h>
#include <linux/kcmp.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/task.h"
#include "vfs/fs_context.h"

namespace starry {

namespace {

constexpr int WHO_PROCESS = 1, WHO_PGRP = 2, WHO_USER = 3;
constexpr int CLASS_SHIFT = 13, CLASS_NONE = 0, CLASS_RT = 1, CLASS_BE = 2, CLASS_IDLE = 3, LEVELS = 8;

// ESRCH: nobody; EINVAL.
Result<std::vector<Task*>> targets(Task& t, int which, int who) {
  std::vector<Task*> found;
  if (which == WHO_PROCESS) {
    if (Task* x = who == 0 ? &t : find_task(who)) found.push_back(x);
  } else if (which == WHO_PGRP || which == WHO_USER) {
    const auto uid = who == 0 ? t.cred->uid : static_cast<uint32_t>(who);
    const pid_t pgid = who == 0 ? t.group->pgid : who;
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

// The order of two objects is that of their addresses; which is all that kcmp promises.
SysResult sys_kcmp(Task& t, int pid1, int pid2, int type, unsigned long idx1, unsigned long idx2) {
  const Task* a = find_task(pid1);
  const Task* b = find_task(pid2);
  if (a == nullptr || b == nullptr) return Error{ESRCH};
  if (!may_inspect(t, *a) || !may_inspect(t, *b)) return Error{EPERM};
  const void *x = nullptr, *y = nullptr;
  switch (type) {
    case KCMP_FILE:
      x = a->files ? a->file(static_cast<int>(idx1)) : nullptr;
      y = b->files ? b->file(static_cast<int>(idx2)) : nullptr;
      if (x == nullptr || y == nullptr) return Error{EBADF};
      break;
    case KCMP_VM:
      x = a->mm.get(), y = b->mm.get();
      break;
    case KCMP_FILES:
      x = a->files.get(), y = b->files.get();
      break;
    case KCMP_FS:
      x = a->fs.get(), y = b->fs.get();
      break;
    case KCMP_SIGHAND:
      x = a->group->signals.handlers.get(), y = b->group->signals.handlers.get();
      break;
    case KCMP_IO:
      break;  // nobody has an I/O context
    case KCMP_SYSVSEM:
      x = a->sem_undo.get(), y = b->sem_undo.get();
      break;
    default:
      return Error{EINVAL};
  }
  if (x == y) return 0;
  return std::less<const void*>()(x, y) ? 1 : 2;
}

}  // namespace starry
