// Process ids, process groups, sessions: getpid(2), setpgid(2), setsid(2).
#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/process.h"

namespace starry {

namespace {

// A process by the id of any of its threads, 0 being the caller. ESRCH.
Result<ThreadGroup*> process_of(Task& t, pid_t pid) {
  if (pid == 0) return t.group.get();
  if (pid == init_group().tgid) return &init_group();
  Task* found = find_task(pid);
  if (found == nullptr) return Error{ESRCH};
  return found->group.get();
}

bool session_has_pgrp(const Session* s, pid_t pgid) {
  bool found = false;
  for_each_group([&](ThreadGroup& g) { found = found || (g.pgid == pgid && g.session.get() == s); });
  return found;
}

}  // namespace

SysResult sys_getpid(Task& t) { return t.tgid(); }

SysResult sys_gettid(Task& t) { return t.tid; }

SysResult sys_getppid(Task& t) { return t.group->parent->tgid; }

SysResult sys_getpgid(Task& t, int pid) { return TRY(process_of(t, pid))->pgid; }

SysResult sys_getpgrp(Task& t) { return t.group->pgid; }

SysResult sys_getsid(Task& t, int pid) { return TRY(process_of(t, pid))->session->sid; }

SysResult sys_setpgid(Task& t, int pid, int pgid) {
  ThreadGroup& self = *t.group;
  if (pid == 0) pid = self.tgid;
  if (pgid == 0) pgid = pid;
  if (pgid < 0) return Error{EINVAL};
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
  g.session = make_ref<Session>(g.tgid);
  g.tty_given_up = false;
  set_pgid(g, g.tgid);
  return g.tgid;
}

}  // namespace starry
