#include "emulated_kernel/sched/permissions.h"

#include <linux/capability.h>

#include "emulated_kernel/sched/policy.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

// RLIMIT_NICE counts from 1 (nice 19) to 40 (nice -20).
bool nice_within_limit(const Task& target, int nice) {
  return static_cast<uint64_t>(20 - nice) <= target.rlimit(RLIMIT_NICE);
}

bool allowed_without_privilege(const Task& by, const Task& target, const SchedRequest& r) {
  const SchedEntity& now = target.se;
  if (is_fair_policy(r.policy) && r.nice < now.nice && !nice_within_limit(target, r.nice)) return false;
  if (is_rt_policy(r.policy)) {
    const uint64_t limit = target.rlimit(RLIMIT_RTPRIO);
    if (r.policy != now.policy && limit == 0) return false;
    if (r.priority > now.rt_priority && static_cast<uint64_t>(r.priority) > limit) return false;
  }
  if (r.policy == SCHED_DEADLINE) return false;
  // SCHED_IDLE counts as less than nice 19: leaving it is an improvement.
  if (now.policy == SCHED_IDLE && r.policy != SCHED_IDLE && !nice_within_limit(target, now.nice))
    return false;
  if (!sched_same_owner(by, target)) return false;
  return !now.reset_on_fork || r.reset_on_fork;
}

}  // namespace

bool sched_same_owner(const Task& by, const Task& target) {
  return by.cred->euid == target.cred->euid || by.cred->euid == target.cred->uid;
}

bool may_set_affinity(const Task& by, const Task& target) {
  return sched_same_owner(by, target) || by.cred->capable_in(*target.cred->user_ns, CAP_SYS_NICE);
}

Result<void> may_set_policy(const Task& by, const Task& target, const SchedRequest& request) {
  if (allowed_without_privilege(by, target, request) || by.cred->capable(CAP_SYS_NICE)) return {};
  return Error{EPERM};
}

}  // namespace starry
