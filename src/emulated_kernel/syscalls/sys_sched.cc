// Scheduling policies, priorities and CPU affinity: sched(7).
#include <sched.h>

#include <algorithm>
#include <cstring>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/timespec.h"
#include "emulated_kernel/futex/futex.h"
#include "emulated_kernel/sched/permissions.h"
#include "emulated_kernel/sched/policy.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/task_sched.h"

namespace starry {

namespace {

constexpr int RESET_ON_FORK_BIT = 0x40000000;  // SCHED_RESET_ON_FORK, in the policy argument
constexpr int KEEP_POLICY = -1;                // sched_setparam(2): the policy stays

// sched_setattr(2) flags.
constexpr uint64_t FLAG_RESET_ON_FORK = 0x01, FLAG_KEEP_POLICY_POLICY = 0x08, FLAG_KEEP_POLICY_PARAMS = 0x10,
                   FLAG_UTIL_CLAMP = 0x60, FLAG_ALL = 0x7f;
constexpr uint32_t ATTR_SIZE_VER0 = 48, PAGE_BYTES = 4096;

// Pid 1, which never runs, can be looked at; to change it is refused, as it is to everybody but root.
Result<Task*> find_target(Task& t, int pid) {
  if (t.kernel_pid(pid) == init_group().tgid) return &init_task();
  Task* target = pid == 0 ? &t : find_task(t, pid);
  if (target == nullptr) return Error{ESRCH};
  return target;
}

// __sched_setscheduler(): checks in Linux's order, then acts.
SysResult apply(Task& t, Task& target, SchedRequest r, uint64_t flags) {
  SchedEntity& se = target.se;
  if (r.policy == KEEP_POLICY) {
    r.policy = se.policy;
    r.reset_on_fork = se.reset_on_fork;
  } else if (find_policy(r.policy) == nullptr) {
    return Error{EINVAL};
  }
  if ((flags & ~FLAG_ALL) != 0) return Error{EINVAL};
  if (r.priority < 0 || r.priority > 99) return Error{EINVAL};
  if (is_rt_policy(r.policy) != (r.priority != 0)) return Error{EINVAL};
  TRY(may_set_policy(t, target, r));
  if (&target == &init_task()) return Error{EPERM};
  if ((flags & FLAG_UTIL_CLAMP) != 0) return Error{EOPNOTSUPP};
  se.reset_on_fork = r.reset_on_fork;
  scheduler().set_policy(se, r.policy, r.priority, is_fair_policy(r.policy) ? r.nice : se.nice,
                         platform().monotonic_ns());
  futex_priority_changed(target);
  return 0;
}

SysResult set_scheduler(Task& t, int pid, int policy, UserPtr<const sched_param> param) {
  if (!param || pid < 0) return Error{EINVAL};
  const sched_param p = TRY(t.mem().get(param.cast<sched_param>()));
  Task& target = *TRY(find_target(t, pid));
  SchedRequest r{policy, p.sched_priority, target.se.nice, false};
  if (policy != KEEP_POLICY) {
    r.reset_on_fork = (policy & RESET_ON_FORK_BIT) != 0;
    r.policy = policy & ~RESET_ON_FORK_BIT;
    // SCHED_DEADLINE needs parameters that only sched_setattr(2) has.
    if (r.policy == SCHED_DEADLINE) return Error{EINVAL};
  }
  return apply(t, target, r, 0);
}

// sched_copy_attr(): the size tells which version of the structure the caller knows.
Result<GuestSchedAttr> read_attr(Task& t, UserPtr<const GuestSchedAttr> user) {
  const auto known = static_cast<uint32_t>(sizeof(GuestSchedAttr));
  GuestSchedAttr attr{};
  uint32_t size = TRY(t.mem().get(user.cast<uint32_t>()));
  if (size == 0) size = ATTR_SIZE_VER0;
  const auto too_big = [&]() -> Result<GuestSchedAttr> {
    (void)t.mem().put(user.cast<uint32_t>(), known);
    return Error{E2BIG};
  };
  if (size < ATTR_SIZE_VER0 || size > PAGE_BYTES) return too_big();
  TRY(t.mem().read(user.addr, &attr, std::min(size, known)));
  if (size > known) {  // fields of the future must be zero
    const auto rest = TRY(t.mem().get_array(UserPtr<uint8_t>{user.addr + known}, size - known));
    if (std::any_of(rest.begin(), rest.end(), [](uint8_t b) { return b != 0; })) return too_big();
  }
  if ((attr.flags & FLAG_UTIL_CLAMP) != 0 && size < known) return Error{EINVAL};
  attr.nice = std::clamp(attr.nice, -20, 19);
  return attr;
}

// __checkparam_dl(), as far as it matters to a task that is then refused: the order of the periods
// and sensible sizes.
bool deadline_params_valid(const GuestSchedAttr& a) {
  constexpr uint64_t MIN_RUNTIME = 1024, MIN_PERIOD = 100'000, MAX_PERIOD = (1ULL << 22) * 1000;
  if (a.deadline == 0 || a.runtime < MIN_RUNTIME) return false;
  if ((a.deadline >> 63) != 0 || (a.period >> 63) != 0) return false;
  const uint64_t period = a.period != 0 ? a.period : a.deadline;
  if (period < a.deadline || a.deadline < a.runtime) return false;
  return period >= MIN_PERIOD && period <= MAX_PERIOD;
}

}  // namespace

SysResult sys_sched_yield(Task& t) {
  yield_current(t);
  return 0;
}

SysResult sys_sched_get_priority_max(Task&, int policy) {
  const PolicyInfo* p = find_policy(policy);
  if (p == nullptr) return Error{EINVAL};
  return p->max_priority;
}

SysResult sys_sched_get_priority_min(Task&, int policy) {
  const PolicyInfo* p = find_policy(policy);
  if (p == nullptr) return Error{EINVAL};
  return p->min_priority;
}

SysResult sys_sched_setscheduler(Task& t, int pid, int policy, UserPtr<const sched_param> param) {
  if (policy < 0) return Error{EINVAL};
  return set_scheduler(t, pid, policy, param);
}

SysResult sys_sched_setparam(Task& t, int pid, UserPtr<const sched_param> param) {
  return set_scheduler(t, pid, KEEP_POLICY, param);
}

SysResult sys_sched_getscheduler(Task& t, int pid) {
  if (pid < 0) return Error{EINVAL};
  const SchedEntity& se = TRY(find_target(t, pid))->se;
  return se.policy | (se.reset_on_fork ? RESET_ON_FORK_BIT : 0);
}

SysResult sys_sched_getparam(Task& t, int pid, UserPtr<sched_param> param) {
  if (!param || pid < 0) return Error{EINVAL};
  const SchedEntity& se = TRY(find_target(t, pid))->se;
  TRY(t.mem().put(param, sched_param{.sched_priority = se.rt_priority}));
  return 0;
}

SysResult sys_sched_setattr(Task& t, int pid, UserPtr<const GuestSchedAttr> uattr, unsigned flags) {
  if (!uattr || pid < 0 || flags != 0) return Error{EINVAL};
  const GuestSchedAttr attr = TRY(read_attr(t, uattr));
  if (static_cast<int32_t>(attr.policy) < 0) return Error{EINVAL};
  Task& target = *TRY(find_target(t, pid));
  SchedRequest r{static_cast<int>(attr.policy), static_cast<int>(std::min(attr.priority, 100U)), attr.nice,
                 (attr.flags & FLAG_RESET_ON_FORK) != 0};
  if ((attr.flags & FLAG_KEEP_POLICY_POLICY) != 0) r.policy = KEEP_POLICY;
  if ((attr.flags & FLAG_KEEP_POLICY_PARAMS) != 0) {
    r.priority = target.se.rt_priority;
    r.nice = target.se.nice;
  }
  if (r.policy == SCHED_DEADLINE) {
    if (!deadline_params_valid(attr) || r.priority != 0) return Error{EINVAL};
    // There is no deadline class: also a privileged caller is refused, as by failed admission.
    return Error{EPERM};
  }
  return apply(t, target, r, attr.flags);
}

SysResult sys_sched_getattr(Task& t, int pid, UserPtr<GuestSchedAttr> uattr, unsigned size, unsigned flags) {
  if (!uattr || pid < 0 || size > PAGE_BYTES || size < ATTR_SIZE_VER0 || flags != 0) return Error{EINVAL};
  const SchedEntity& se = TRY(find_target(t, pid))->se;
  GuestSchedAttr attr{};
  attr.size = std::min(size, static_cast<uint32_t>(sizeof attr));
  attr.policy = static_cast<uint32_t>(se.policy);
  if (se.reset_on_fork) attr.flags |= FLAG_RESET_ON_FORK;
  if (is_rt_policy(se.policy))
    attr.priority = static_cast<uint32_t>(se.rt_priority);
  else
    attr.nice = se.nice;
  attr.util_max = size > ATTR_SIZE_VER0 ? 1024 : 0;
  TRY(t.mem().write(uattr.addr, &attr, attr.size));
  return 0;
}

SysResult sys_sched_rr_get_interval(Task& t, int pid, UserPtr<timespec> tp) {
  if (pid < 0) return Error{EINVAL};
  const SchedEntity& se = TRY(find_target(t, pid))->se;
  TRY(t.mem().put(tp, timespec_from_ns(scheduler().rr_interval_ns(se))));
  return 0;
}

SysResult sys_sched_setaffinity(Task& t, int pid, unsigned len, UserPtr<const void> user_mask) {
  uint8_t bytes[MAX_CPUS / 8] = {};
  TRY(t.mem().read(user_mask.addr, bytes, std::min<size_t>(len, sizeof bytes)));
  Task& target = *TRY(find_target(t, pid));
  if (!may_set_affinity(t, target) || &target == &init_task()) return Error{EPERM};
  CpuMask mask;
  for (size_t cpu = 0; cpu < MAX_CPUS; cpu++) mask.set(cpu, ((bytes[cpu / 8] >> (cpu % 8)) & 1) != 0);
  TRY(scheduler().set_affinity(target.se, mask, platform().monotonic_ns()));
  return 0;
}

// Returns how much of the kernel's mask was copied, whose size does not depend on how many CPUs there are.
SysResult sys_sched_getaffinity(Task& t, int pid, unsigned len, UserPtr<void> user_mask) {
  const auto cpus = static_cast<size_t>(scheduler().cpu_count());
  if (static_cast<uint64_t>(len) * 8 < cpus || len % sizeof(uint64_t) != 0) return Error{EINVAL};
  const CpuMask& mask = TRY(find_target(t, pid))->se.affinity;
  uint64_t words[MAX_CPUS / 64] = {};
  for (size_t cpu = 0; cpu < cpus; cpu++)
    if (mask.test(cpu)) words[cpu / 64] |= 1ULL << (cpu % 64);
  const size_t size = std::min<size_t>(len, static_cast<size_t>(nr_cpus_for(scheduler().cpu_count())) / 8);
  TRY(t.mem().write(user_mask.addr, words, size));
  return static_cast<int64_t>(size);
}

}  // namespace starry
