#include <linux/capability.h>

#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/task/task.h"

namespace starry {

bool may_attach(const Task& by, const Task& target) {
  if (by.group == target.group) return true;
  const Cred& a = *by.cred;
  const Cred& b = *target.cred;
  if (a.capable(CAP_SYS_PTRACE)) return true;
  const bool same_user = a.uid == b.euid && a.uid == b.suid && a.uid == b.uid && a.gid == b.egid &&
                         a.gid == b.sgid && a.gid == b.gid;
  return same_user && target.group->dumpable && (b.cap_permitted & ~a.cap_permitted) == 0;
}

}  // namespace starry
