// Process ids, process groups, sessions: getpid(2), setpgid(2), setsid(2).
#include <utility>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/process.h"

namespace starry {

namespace {

// A process by the id of any of its threads, 0 being the caller. ESRCH.
Result<ThreadGroup*> process_of(Task& t, pid_t pid) {
  if (pid == 0) return t.group.get();
  if (t.kernel_pid(pid) == init_group().tgid) return &init_group();
  Task* found = find_task(t, pid);
  if (found == nullptr) return Error{ESRCH};
  return found->group.get();
}

bool session_has_pgrp(const Session* s, pid_t pgid) {
  bool found = false;
  for_each_group([&](ThreadGroup& g) { found = found || (g.pgid == pgid && g.session.get() == s); });
  return found;
}

}  // namespace

SysResult sys_getpid(Task& t) { return t.group->own_tgid; }

SysResult sys_gettid(Task& t) { return t.own_tid; }

SysResult sys_getppid(Task& t) { return t.shown_pid(t.group->parent->tgid); }

SysResult sys_getpgid(Task& t, int pid) { return t.shown_pid(TRY(process_of(t, pid))->pgid); }

SysResult sys_getpgrp(Task& t) { return t.shown_pid(t.group->pgid); }

SysResult sys_getsid(Task& t, int pid) { return t.shown_pid(TRY(process_of(t, pid))->session->sid); }

SysResult sys_setpgid(Task& t, int pid, int pgid) {
  ThreadGroup& self = *t.group;
  if (pgid < 0) return Error{EINVAL};
  pid = pid == 0 ? self.tgid : t.kernel_pid(pid);
  pgid = pgid == 0 ? pid : t.kernel_pid(pgid);
  Task* leader = find_task(pid);
  if (leader == nullptr) return Error{ESRCH};
  ThreadGroup& g = *leader->group;
  if (g.tgid != pid) return Error{EINVAL};
  if (g.parent == &self) {
    if (g.session != self.session) return Error{EPERM};
    if (g.did_exec) return Error{EACCES};
  } else if (&g != &self) {
    return Error{ESRCH};
  }
  if (g.session->sid == g.tgid) return Error{EPERM};
  if (pgid != pid && !session_has_pgrp(self.session.get(), pgid)) return Error{EPERM};
  set_pgid(g, pgid);
  return 0;
}

SysResult sys_setsid(Task& t) {
  ThreadGroup& g = *t.group;
  if (g.session->sid == g.tgid || pgrp_exists(g.tgid)) return Error{EPERM};
  const Ref<Session> before = std::exchange(g.session, make_ref<Session>(g.tgid));
  g.tty_given_up = false;
  set_pgid(g, g.tgid);
  release_id(*g.pid_ns, before->sid);
  return g.own_tgid;
}

}  // namespace starry
