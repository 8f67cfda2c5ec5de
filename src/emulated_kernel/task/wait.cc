#include "emulated_kernel/task/wait.h"

#include <csignal>

#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/exit.h"
#include "emulated_kernel/task/ptrace.h"

namespace starry {

namespace {

bool eligible(const Task& t, const ThreadGroup& child, const WaitRequest& req) {
  if (req.who == WaitRequest::Who::process && child.tgid != req.id) return false;
  if (req.who == WaitRequest::Who::pgrp && child.pgid != req.id) return false;
  if ((req.options & __WNOTHREAD) != 0 && child.parent_tid != t.tid) return false;
  // A "clone child" is one that reports its end with another signal than SIGCHLD, or none.
  if ((req.options & __WALL) != 0) return true;
  return (child.exit_signal != SIGCHLD) == ((req.options & __WCLONE) != 0);
}

// The child's resources and those of its own children that it waited for.
void add_usage(ThreadGroup& child, WaitOutcome* out) {
  const CpuTimes own = cpu_times(child);
  out->usage.ru_utime = to_timeval(own.user + child.children_utime_ns);
  out->usage.ru_stime = to_timeval(own.system + child.children_stime_ns);
  out->usage.ru_minflt = static_cast<long>(child.min_faults);
  out->usage.ru_nvcsw = static_cast<long>(child.voluntary_switches);
}

void collect(ThreadGroup& parent, ThreadGroup& child) {
  const CpuTimes own = cpu_times(child);
  parent.children_utime_ns += own.user + child.children_utime_ns;
  parent.children_stime_ns += own.system + child.children_stime_ns;
  parent.io.add(child.io);
  reap(child);
}

// True if `child` has something to report that `req` asks for; takes it unless WNOWAIT.
bool take_change(Task& t, ThreadGroup& child, const WaitRequest& req, WaitOutcome* out) {
  const bool keep = (req.options & WNOWAIT) != 0;
  if (child.zombie) {
    const int signo = WTERMSIG(child.exit_status);
    out->code = signo == 0 ? CLD_EXITED : WCOREDUMP(child.exit_status) ? CLD_DUMPED : CLD_KILLED;
    out->status = signo == 0 ? WEXITSTATUS(child.exit_status) : signo;
  } else if ((req.options & WSTOPPED) != 0 && child.stop_unwaited) {
    out->code = CLD_STOPPED;
    out->status = child.stop_signal;
    if (!keep) child.stop_unwaited = false;
  } else if ((req.options & WCONTINUED) != 0 && child.continued_unwaited) {
    out->code = CLD_CONTINUED;
    out->status = SIGCONT;
    if (!keep) child.continued_unwaited = false;
  } else {
    return false;
  }
  out->pid = t.shown_pid(child.tgid);
  out->uid = child.leader()->cred->uid;
  add_usage(child, out);
  if (child.zombie && !keep) collect(*t.group, child);
  return true;
}

bool look_at_tracees(Task& t, const WaitRequest& req, WaitOutcome* out, bool* found) {
  const auto match = [&](pid_t tid, pid_t pgid) {
    if (req.who == WaitRequest::Who::any) return true;
    return req.id == (req.who == WaitRequest::Who::process ? tid : pgid);
  };
  PtraceReport r;
  if (!ptrace_take_report(t, match, (req.options & WEXITED) != 0, (req.options & WNOWAIT) != 0, found, &r))
    return false;
  out->pid = r.number;
  out->uid = r.uid;
  out->code = r.code;
  out->status = r.status;
  return true;
}

// One look at all children. `found` tells whether there is any to wait for.
bool look(Task& t, const WaitRequest& req, WaitOutcome* out, bool* found) {
  *found = false;
  for (const Ref<ThreadGroup>& child : t.group->children) {
    if (!eligible(t, *child, req)) continue;
    if (child->zombie && (req.options & WEXITED) == 0) continue;
    *found = true;
    // A tracee's stops are its tracer's: below.
    if (!child->zombie && child->leader() != nullptr && ptraced_by_process(*child->leader(), *t.group))
      continue;
    const Ref<ThreadGroup> keep = child;
    if (take_change(t, *keep, req, out)) return true;
  }
  return look_at_tracees(t, req, out, found);
}

}  // namespace

int WaitOutcome::wait_status() const {
  switch (code) {
    case CLD_EXITED:
      return status << 8;
    case CLD_DUMPED:
      return status | WCOREFLAG;
    case CLD_STOPPED:
    case CLD_TRAPPED:
      return status << 8 | 0x7f;
    case CLD_CONTINUED:
      return 0xffff;
    default:
      return status;
  }
}

Result<WaitOutcome> wait_for_child(Task& t, const WaitRequest& req) {
  WaitOutcome out;
  bool found = false;
  const auto done = [&] { return look(t, req, &out, &found) || !found; };
  if ((req.options & WNOHANG) != 0) {
    (void)done();
  } else {
    TRY(wait_event(t.group->wait_chld, Deadline::never(), done));
  }
  if (!found) return Error{ECHILD};
  return out;
}

}  // namespace starry
