// Sending signals: kill(2), tgkill(2), rt_sigqueueinfo(2).
#include <climits>
#include <csignal>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/pid_table.h"

namespace starry {

namespace {

bool bad_signal(int sig) { return sig < 0 || sig > SIG_COUNT; }

// Checks the number and the permission, in this order and only once there is a target; signal 0 does no
// more than that.
Result<void> kill_process(Task& t, ThreadGroup& g, int sig, const SigInfo& info) {
  if (bad_signal(sig)) return Error{EINVAL};
  if (!may_signal(t, g, sig)) return Error{EPERM};
  if (sig == 0) return {};
  return send_signal(g, info);
}

// kill(2) on several: success if one got it, EPERM if none may be signalled.
template <class Wanted>
SysResult kill_many(Task& t, int sig, Wanted&& wanted) {
  const SigInfo info = siginfo_user(sig, t);
  bool reached = false;
  int error = ESRCH;
  for_each_group([&](ThreadGroup& g) {
    if (!wanted(g)) return;
    const Result<void> r = kill_process(t, g, sig, info);
    if (r)
      reached = true;
    else
      error = r.code();
  });
  if (!reached) return Error{error};
  return 0;
}

// What the caller of sigqueue may claim about itself: to others only codes below 0, and not tkill's.
bool may_claim(const Task& t, pid_t target, const SigInfo& info) {
  return (info.code < 0 && info.code != SI_TKILL) || target == t.own_tid || target == t.group->own_tgid;
}

SysResult send_to_thread(Task& t, pid_t tgid, pid_t tid, int sig, const SigInfo& info) {
  Task* target = find_task(t, tid);
  if (target == nullptr || (tgid > 0 && t.shown_pid(target->tgid()) != tgid)) return Error{ESRCH};
  if (bad_signal(sig)) return Error{EINVAL};
  if (!may_signal(t, *target->group, sig)) return Error{EPERM};
  if (sig != 0) TRY(send_signal(*target, info));
  return 0;
}

SigInfo siginfo_tkill(int sig, const Task& t) {
  SigInfo info = siginfo_user(sig, t);
  info.code = SI_TKILL;
  return info;
}

Result<SigInfo> read_queue_info(Task& t, int sig, UserPtr<const SigInfo> p) {
  SigInfo info;
  TRY(t.mem().read(p.addr, &info, sizeof info));
  info.signo = sig;
  return claimed_siginfo(info);
}

}  // namespace

SysResult sys_kill(Task& t, int pid, int sig) {
  if (pid == INT_MIN) return Error{ESRCH};
  if (pid > 0) {
    ThreadGroup* g = nullptr;
    if (t.kernel_pid(pid) == init_group().tgid) g = &init_group();
    if (Task* found = find_task(t, pid); found != nullptr) g = found->group.get();
    if (g == nullptr) return Error{ESRCH};
    TRY(kill_process(t, *g, sig, siginfo_user(sig, t)));
    return 0;
  }
  if (pid == -1)
    return kill_many(t, sig,
                     [&](const ThreadGroup& g) { return &g != t.group.get() && t.shown_pid(g.tgid) > 1; });
  const pid_t pgid = pid == 0 ? t.group->pgid : t.kernel_pid(-pid);
  return kill_many(t, sig, [&](const ThreadGroup& g) { return g.pgid == pgid; });
}

SysResult sys_tkill(Task& t, int tid, int sig) {
  if (tid <= 0) return Error{EINVAL};
  return send_to_thread(t, 0, tid, sig, siginfo_tkill(sig, t));
}

SysResult sys_tgkill(Task& t, int tgid, int tid, int sig) {
  if (tgid <= 0 || tid <= 0) return Error{EINVAL};
  return send_to_thread(t, tgid, tid, sig, siginfo_tkill(sig, t));
}

SysResult sys_rt_sigqueueinfo(Task& t, int tgid, int sig, UserPtr<const SigInfo> p) {
  const SigInfo info = TRY(read_queue_info(t, sig, p));
  if (!may_claim(t, tgid, info)) return Error{EPERM};
  Task* target = find_task(t, tgid);
  if (target == nullptr) return Error{ESRCH};
  TRY(kill_process(t, *target->group, sig, info));
  return 0;
}

SysResult sys_rt_tgsigqueueinfo(Task& t, int tgid, int tid, int sig, UserPtr<const SigInfo> p) {
  const SigInfo info = TRY(read_queue_info(t, sig, p));
  if (tgid <= 0 || tid <= 0) return Error{EINVAL};
  if (!may_claim(t, tid, info)) return Error{EPERM};
  return send_to_thread(t, tgid, tid, sig, info);
}

}  // namespace starry
