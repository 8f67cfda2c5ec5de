// Group stop and continue (job control), and SIGCHLD about them.
#include <algorithm>
#include <csignal>

#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/trace/tracer.h"

namespace starry {

void notify_parent(ThreadGroup& g, int code, int status) {
  ThreadGroup* parent = g.parent;
  if (parent == nullptr) return;
  const bool about_exit = code == CLD_EXITED || code == CLD_KILLED || code == CLD_DUMPED;
  const int signo = about_exit ? g.exit_signal : SIGCHLD;
  const Task* leader = g.leader();
  if (valid_signal(signo) && !parent->threads.empty() && leader != nullptr) {
    const KSigAction& action = action_of(*parent, SIGCHLD);
    const bool ignored = signo == SIGCHLD && (action.handler == HANDLER_IGNORE ||
                                              (!about_exit && (action.flags & SA_NOCLDSTOP) != 0));
    if (!ignored) {
      SigInfo info;
      info.signo = signo;
      info.code = code;
      info.chld.pid = g.tgid;
      info.chld.uid = leader->cred->uid;
      info.chld.status = status;
      const CpuTimes times = cpu_times(g);
      info.chld.utime = static_cast<int64_t>(times.user / 10'000'000);  // clock ticks of 10 ms
      info.chld.stime = static_cast<int64_t>(times.system / 10'000'000);
      (void)send_signal(*parent, info);  // a full queue cannot be reported to anybody
    }
  }
  parent->wait_chld.wake_all();
}

void begin_group_stop(ThreadGroup& g, int signo) {
  if (g.stopping || g.exiting) return;
  g.stopping = true;
  g.stop_signal = signo;
  for (Task* t : g.threads)
    if (!t->exiting) notify_signal(*t);
}

void check_stop_complete(ThreadGroup& g) {
  if (!g.stopping || g.stopped) return;
  const auto runs = [](const Task* t) { return !t->exiting && !t->exited && !t->sig.stopped; };
  if (std::any_of(g.threads.begin(), g.threads.end(), runs)) return;
  g.stopped = true;
  g.continued_unwaited = false;
  if (g.parent != nullptr && g.leader() != nullptr && ptraced_by_process(*g.leader(), *g.parent)) return;
  g.stop_unwaited = true;
  notify_parent(g, CLD_STOPPED, g.stop_signal);
}

void wait_while_stopped(Task& t) {
  ThreadGroup& g = *t.group;
  t.sig.stopped = true;
  trace_stopped(t, g.stop_signal);
  check_stop_complete(g);
  bool end_for_tracee = false;
  while (g.stopping && !t.sig.killed) {
    if (!t.ptrace) {
      t.block();
      continue;
    }
    ptrace_group_stop(t);
    end_for_tracee = g.stopping;
    break;
  }
  t.sig.stopped = false;
  if (end_for_tracee) g.stopping = g.stopped = false;  // its tracer made it run
}

void end_group_stop(ThreadGroup& g) {
  if (!g.stopping) return;
  const bool was_stopped = g.stopped;
  g.stopping = g.stopped = g.stop_unwaited = false;
  for (Task* t : g.threads)
    if (t->sig.stopped) ptrace_stop_ended(*t);
  g.continued_unwaited = true;
  // A stop that SIGCONT overtakes is reported as a stop (signal_struct flags SIGNAL_CLD_STOPPED).
  notify_parent(g, was_stopped ? CLD_CONTINUED : CLD_STOPPED, was_stopped ? SIGCONT : g.stop_signal);
}

}  // namespace starry
