#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/task/task.h"

namespace starry {

bool may_attach(const Task& by, const Task& target) {
  return may_access_task(by, target, by.cred->uid, by.cred->gid);
}

}  // namespace starry
