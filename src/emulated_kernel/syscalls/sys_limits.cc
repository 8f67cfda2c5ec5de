// Resource limits, resource usage and nice values: getrlimit(2), getrusage(2), times(2),
// getpriority(2).
#include <linux/capability.h>

#include <algorithm>
#include <vector>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/cpu_limit.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr uint64_t NR_OPEN = 1048576;  // /proc/sys/fs/nr_open
constexpr uint64_t NS_PER_TICK = 10'000'000;

// do_prlimit(): checks and sets. Permission to touch `g` has been checked.
Result<void> change_limit(Task& t, ThreadGroup& g, unsigned resource, const Rlimits::Limit& next) {
  if (next.cur > next.max) return Error{EINVAL};
  if (resource == RLIMIT_NOFILE && next.max > NR_OPEN) return Error{EPERM};
  Rlimits::Limit& limit = g.rlimits.limits[resource];
  if (next.max > limit.max && !t.cred->capable(CAP_SYS_RESOURCE)) return Error{EPERM};
  limit = next;
  if (resource == RLIMIT_CPU || resource == RLIMIT_RTTIME) watch_cpu_limits(g);
  return {};
}

bool may_prlimit(const Task& by, const Task& target) {
  if (&by == &target || by.cred->capable_in(*target.cred->user_ns, CAP_SYS_RESOURCE)) return true;
  const Cred& a = *by.cred;
  const Cred& b = *target.cred;
  return a.uid == b.euid && a.uid == b.suid && a.uid == b.uid && a.gid == b.egid && a.gid == b.sgid &&
         a.gid == b.gid;
}

}  // namespace

SysResult sys_getrlimit(Task& t, unsigned resource, UserPtr<rlimit> rlim) {
  if (resource >= RLIM_COUNT) return Error{EINVAL};
  const Rlimits::Limit& l = t.group->rlimits.limits[resource];
  TRY(t.mem().put(rlim, rlimit{l.cur, l.max}));
  return 0;
}

SysResult sys_setrlimit(Task& t, unsigned resource, UserPtr<const rlimit> rlim) {
  const rlimit next = TRY(t.mem().get(rlim.cast<rlimit>()));
  if (resource >= RLIM_COUNT) return Error{EINVAL};
  TRY(change_limit(t, *t.group, resource, {next.rlim_cur, next.rlim_max}));
  return 0;
}

SysResult sys_prlimit64(Task& t, pid_t pid, unsigned resource, UserPtr<const rlimit> new_limit,
                        UserPtr<rlimit> old_limit) {
  rlimit next{};
  if (new_limit) next = TRY(t.mem().get(new_limit.cast<rlimit>()));
  Task* target = pid == 0 ? &t : find_task(t, pid);
  if (target == nullptr) return Error{ESRCH};
  if (!may_prlimit(t, *target)) return Error{EPERM};
  if (resource >= RLIM_COUNT) return Error{EINVAL};
  ThreadGroup& g = *target->group;
  const Rlimits::Limit before = g.rlimits.limits[resource];
  if (new_limit) TRY(change_limit(t, g, resource, {next.rlim_cur, next.rlim_max}));
  if (old_limit) TRY(t.mem().put(old_limit, rlimit{before.cur, before.max}));
  return 0;
}

namespace {

void add_switches(rusage& ru, const Task& t) {
  ru.ru_nvcsw += static_cast<long>(t.se.nvcsw);
  ru.ru_nivcsw += static_cast<long>(t.se.nivcsw);
}

rusage usage_of(Task& t, int who) {
  rusage ru{};
  CpuTimes cpu;
  if (who == RUSAGE_CHILDREN) {
    cpu = {t.group->children_utime_ns, t.group->children_stime_ns};
  } else {
    ru.ru_maxrss = static_cast<long>(resident_pages(*t.mm) * 4);
    if (who == RUSAGE_THREAD) {
      cpu = cpu_times(t);
      add_switches(ru, t);
    } else {
      cpu = cpu_times(*t.group);
      ru.ru_minflt = static_cast<long>(t.group->min_faults);
      ru.ru_nvcsw = static_cast<long>(t.group->voluntary_switches);
      for (const Task* thread : t.group->threads) add_switches(ru, *thread);
    }
  }
  ru.ru_utime = to_timeval(cpu.user);
  ru.ru_stime = to_timeval(cpu.system);
  return ru;
}

}  // namespace

SysResult sys_getrusage(Task& t, int who, UserPtr<rusage> usage) {
  if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD) return Error{EINVAL};
  TRY(t.mem().put(usage, usage_of(t, who)));
  return 0;
}

SysResult sys_times(Task& t, UserPtr<tms> buf) {
  if (buf) {
    const CpuTimes own = cpu_times(*t.group);
    const auto ticks = [](uint64_t ns) { return static_cast<clock_t>(ns / NS_PER_TICK); };
    TRY(t.mem().put(buf, tms{.tms_utime = ticks(own.user),
                             .tms_stime = ticks(own.system),
                             .tms_cutime = ticks(t.group->children_utime_ns),
                             .tms_cstime = ticks(t.group->children_stime_ns)}));
  }
  return static_cast<int64_t>(platform().boottime_ns() / NS_PER_TICK);
}

namespace {

// The threads that (which, who) of getpriority(2) names.
std::vector<Task*> priority_targets(Task& t, int which, int who) {
  std::vector<Task*> found;
  const auto add_groups = [&](auto&& wanted) {
    for_each_group([&](ThreadGroup& g) {
      for (Task* thread : g.threads) {
        if (wanted(*thread)) found.push_back(thread);
      }
    });
  };
  if (which == PRIO_PROCESS) {
    if (Task* target = who == 0 ? &t : find_task(t, who)) found.push_back(target);
  } else if (which == PRIO_PGRP) {
    const pid_t pgid = who == 0 ? t.group->pgid : t.kernel_pid(who);
    add_groups([&](Task& thread) { return thread.group->pgid == pgid; });
  } else {
    const uid_t uid = who == 0 ? t.cred->uid : t.cred->user_ns->kuid(static_cast<uid_t>(who));
    add_groups([&](Task& thread) { return thread.cred->uid == uid; });
  }
  return found;
}

bool may_set_priority(const Task& by, const Task& target) {
  return target.cred->uid == by.cred->euid || target.cred->euid == by.cred->euid ||
         by.cred->capable_in(*target.cred->user_ns, CAP_SYS_NICE);
}

}  // namespace

// The raw system call returns 20 - nice, so that a success is never negative.
SysResult sys_getpriority(Task& t, int which, int who) {
  if (which < PRIO_PROCESS || which > PRIO_USER) return Error{EINVAL};
  int64_t best = -ESRCH;
  for (const Task* target : priority_targets(t, which, who))
    best = std::max<int64_t>(best, 20 - target->se.nice);
  if (best < 0) return Error{ESRCH};
  return best;
}

SysResult sys_setpriority(Task& t, int which, int who, int niceval) {
  if (which < PRIO_PROCESS || which > PRIO_USER) return Error{EINVAL};
  const int nice = std::clamp(niceval, -20, 19);
  int error = ESRCH;
  for (Task* target : priority_targets(t, which, who)) {
    SchedEntity& se = target->se;
    if (!may_set_priority(t, *target)) {
      error = EPERM;
    } else if (nice<se.nice&& static_cast<uint64_t>(20 - nice)> target->rlimit(RLIMIT_NICE) &&
               !t.cred->capable(CAP_SYS_NICE)) {
      error = EACCES;
    } else {
      if (error == ESRCH) error = 0;
      scheduler().set_policy(se, se.policy, se.rt_priority, nice, platform().monotonic_ns());
    }
  }
  if (error != 0) return Error{error};
  return 0;
}

}  // namespace starry
