// Attaching, resuming, letting go; reports for wait(2).
#include "emulated_kernel/task/ptrace.h"

#include <linux/sched.h>
#include <sys/wait.h>

#include <csignal>
#include <list>
#include <vector>

#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/process.h"

namespace starry {

namespace {

int tracees = 0;  // in all; usually there are none to look for

// The end of a tracee that its tracer has not waited for yet.
struct Death {
  Ref<ThreadGroup> tracer;
  PtraceReport report;
  pid_t pgid;
};
std::list<Death>& deaths() {
  static std::list<Death> list;
  return list;
}

std::vector<Ref<Task>> tracees_of(const Task& tracer) {
  std::vector<Ref<Task>> found;
  if (tracees == 0) return found;
  for_each_group([&](ThreadGroup& g) {
    for (Task* t : g.threads)
      if (t->ptrace && t->ptrace->tracer == &tracer) found.emplace_back(t);
  });
  return found;
}

void link(Task& tracee, Task& tracer, bool seized, uint32_t options) {
  tracee.ptrace = std::make_shared<PtraceState>();
  tracee.ptrace->tracer = &tracer;
  tracee.ptrace->seized = seized;
  tracee.ptrace->options = options;
  if (tracee.call.active) tracee.ptrace->orig_rax = tracee.call.nr;
  ++tracees;
}

void unlink(Task& tracee) {
  tracee.ptrace->tracer = nullptr;  // its own code may still look at the state
  tracee.ptrace.reset();
  --tracees;
}

}  // namespace

bool anybody_is_traced() { return tracees != 0; }

bool ptraced_by_process(const Task& tracee, const ThreadGroup& g) {
  return tracee.ptrace && tracee.ptrace->tracer->group.get() == &g;
}

Result<void> ptrace_traceme(Task& t) {
  ThreadGroup* parent = t.group->parent;
  if (t.ptrace || parent == nullptr || parent->threads.empty()) return Error{EPERM};
  Task* tracer = find_task(t.group->parent_tid);
  if (tracer == nullptr || tracer->group.get() != parent) tracer = parent->leader();
  link(t, *tracer, false, 0);
  return {};
}

Result<void> ptrace_attach(Task& tracer, Task& target, bool seize, uint32_t options) {
  if (target.group == tracer.group || target.exiting || target.exited || target.ptrace) return Error{EPERM};
  if (!may_attach(tracer, target)) return Error{EPERM};
  link(target, tracer, seize, options);
  if (target.sig.stopped) {
    target.wake_up();  // from its group stop into that of a tracee
  } else if (!seize) {
    SigInfo stop = siginfo_kernel(SIGSTOP);
    (void)send_signal(target, stop);
  }
  return {};
}

void ptrace_resume(Task& tracee, PtraceState::Run how, int signo) {
  PtraceState& p = *tracee.ptrace;
  p.run = how;
  p.next_signal = signo;
  p.unwaited = p.listening = p.stopped = false;
  tracee.wake_up();
}

void ptrace_detach(Task& tracee, int signo) {
  const std::shared_ptr<PtraceState> p = tracee.ptrace;
  unlink(tracee);
  if (!p->stopped) return;
  p->run = PtraceState::Run::cont;
  p->next_signal = signo;
  p->stopped = false;
  tracee.wake_up();
}

bool ptrace_stands(const Task& t) { return t.ptrace && t.ptrace->stopped && !t.sig.killed; }

void ptrace_tracer_exits(Task& t) {
  for (const Ref<Task>& tracee : tracees_of(t)) {
    const bool kill = (tracee->ptrace->options & PTRACE_O_EXITKILL) != 0;
    ptrace_detach(*tracee, 0);
    if (kill) (void)send_signal(*tracee, siginfo_kernel(SIGKILL));
  }
  if (t.group->threads.size() == 1)
    std::erase_if(deaths(), [&](const Death& d) { return d.tracer == t.group; });
}

void ptrace_tracee_gone(Task& t, int status) {
  if (!t.ptrace) return;
  const Ref<ThreadGroup> tracer = t.ptrace->tracer->group;
  unlink(t);
  const bool leader = &t == t.group->leader();
  if (leader && t.group->parent == tracer.get()) return;  // its parent waits for it anyway
  const int signo = WTERMSIG(status);
  const int killed = WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED;
  const PtraceReport r{t.tid, tracer->pid_ns->number(t.tid), t.cred->uid, signo == 0 ? CLD_EXITED : killed,
                       signo == 0 ? WEXITSTATUS(status) : signo};
  deaths().push_back({tracer, r, t.group->pgid});
  if (leader) {
    SigInfo info;
    info.signo = SIGCHLD;
    info.code = r.code;
    info.chld.pid = r.tid;
    info.chld.uid = r.uid;
    info.chld.status = r.status;
    (void)send_signal(*tracer, info);
  }
  tracer->wait_chld.wake_all();
}

int ptrace_clone_event(const Task& parent, uint64_t flags, int exit_signal) {
  if (!parent.ptrace || (flags & CLONE_UNTRACED) != 0) return 0;
  const int event = (flags & CLONE_VFORK) != 0 ? PTRACE_EVENT_VFORK
                    : exit_signal != SIGCHLD   ? PTRACE_EVENT_CLONE
                                               : PTRACE_EVENT_FORK;
  return (parent.ptrace->options & (1U << event)) != 0 ? event : 0;
}

void ptrace_attach_child(Task& parent, Task& child) {
  const PtraceState& p = *parent.ptrace;
  link(child, *p.tracer, p.seized, p.options);
  if (p.seized) {
    child.ptrace->interrupt = true;
  } else {
    SigInfo stop;
    stop.signo = SIGSTOP;
    (void)send_signal(child, stop);
  }
}

bool ptrace_take_report(Task& t, const std::function<bool(pid_t, pid_t)>& match, bool exits, bool keep,
                        bool* any, PtraceReport* out) {
  if (exits) {
    for (auto it = deaths().begin(); it != deaths().end(); ++it) {
      if (it->tracer != t.group || !match(it->report.tid, it->pgid)) continue;
      *any = true;
      *out = it->report;
      if (!keep) deaths().erase(it);
      return true;
    }
  }
  if (tracees == 0) return false;
  bool found = false;
  for_each_group([&](ThreadGroup& g) {
    for (Task* x : g.threads) {
      if (found || !ptraced_by_process(*x, *t.group) || !match(x->tid, g.pgid)) continue;
      *any = true;
      PtraceState& p = *x->ptrace;
      if (!ptrace_stands(*x) || !p.unwaited) continue;
      *out = {x->tid, t.shown_pid(x->tid), x->cred->uid, CLD_TRAPPED, p.status};
      if (!keep) p.unwaited = false;
      found = true;
    }
  });
  return found;
}

}  // namespace starry
