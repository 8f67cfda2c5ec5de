// wait4(2), waitid(2).
#include <climits>
#include <csignal>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/pidfd.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/task/wait.h"

namespace starry {

namespace {

constexpr int CLONE_OPTIONS = __WNOTHREAD | __WCLONE | __WALL;

Result<WaitRequest> waitid_request(Task& t, int idtype, int id, int options, bool* nonblocking) {
  constexpr int STATES = WEXITED | WSTOPPED | WCONTINUED;
  if ((options & ~(WNOHANG | WNOWAIT | STATES | CLONE_OPTIONS)) != 0 || (options & STATES) == 0)
    return Error{EINVAL};
  WaitRequest req;
  req.id = id;
  req.options = options;
  switch (idtype) {
    case P_ALL:
      return req;
    case P_PID:
      if (id <= 0) return Error{EINVAL};
      req.who = WaitRequest::Who::process;
      req.id = t.kernel_pid(id);
      return req;
    case P_PGID:
      if (id < 0) return Error{EINVAL};
      req.who = WaitRequest::Who::pgrp;
      req.id = id == 0 ? t.group->pgid : t.kernel_pid(id);
      return req;
    case P_PIDFD: {
      if (id < 0) return Error{EINVAL};
      const Ref<File> f = TRY(get_file(t, id));
      const ThreadGroup* g = pidfd_group(*f);
      if (g == nullptr) return Error{EBADF};
      req.who = WaitRequest::Who::process;
      req.id = g->tgid;
      *nonblocking = f->nonblocking();
      if (*nonblocking) req.options |= WNOHANG;
      return req;
    }
    default:
      return Error{EINVAL};
  }
}

// waitid writes six members and leaves the rest of siginfo_t alone.
Result<void> put_waitid_info(Task& t, UserPtr<SigInfo> p, const WaitOutcome& w) {
  const int32_t head[3] = {w.pid != 0 ? SIGCHLD : 0, 0, w.code};
  TRY(t.mem().write(p.addr, head, sizeof head));
  struct {
    int32_t pid;
    uint32_t uid;
    int32_t status;
  } const chld{w.pid, w.pid != 0 ? t.cred->user_ns->uid(w.uid) : 0, w.status};
  return t.mem().write(p.addr + offsetof(SigInfo, chld), &chld, sizeof chld);
}

}  // namespace

SysResult sys_wait4(Task& t, int pid, UserPtr<int> wstatus, int options, UserPtr<rusage> usage) {
  if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED | CLONE_OPTIONS)) != 0) return Error{EINVAL};
  if (pid == INT_MIN) return Error{ESRCH};
  WaitRequest req;
  req.options = options | WEXITED;
  if (pid > 0) {
    req.who = WaitRequest::Who::process;
    req.id = t.kernel_pid(pid);
  } else if (pid != -1) {
    req.who = WaitRequest::Who::pgrp;
    req.id = pid == 0 ? t.group->pgid : t.kernel_pid(-pid);
  }
  const WaitOutcome w = TRY(wait_for_child(t, req));
  if (w.pid == 0) return 0;
  if (wstatus) TRY(t.mem().put(wstatus, w.wait_status()));
  if (usage) TRY(t.mem().put(usage, w.usage));
  return w.pid;
}

SysResult sys_waitid(Task& t, int idtype, int id, UserPtr<SigInfo> infop, int options,
                     UserPtr<rusage> usage) {
  bool nonblocking = false;
  WaitOutcome w;
  int error = 0;
  if (auto req = waitid_request(t, idtype, id, options, &nonblocking); !req) {
    error = req.code();
  } else if (auto result = wait_for_child(t, *req); !result) {
    error = result.code();
  } else {
    w = *result;
    if (w.pid == 0 && nonblocking && (options & WNOHANG) == 0) error = EAGAIN;
  }
  if (w.pid != 0 && usage) TRY(t.mem().put(usage, w.usage));
  // Written even when there is an error: all zero then.
  if (infop) TRY(put_waitid_info(t, infop, w));
  if (error != 0) return Error{error};
  return 0;
}

}  // namespace starry
