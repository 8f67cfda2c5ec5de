// The end of threads and processes (_exit(2), exit_group(2), fatal signals).
#include "emulated_kernel/task/exit.h"

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/futex/futex.h"
#include "emulated_kernel/ipc/sem.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/task/process_group.h"
#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/trace/tracer.h"
#include "emulated_kernel/tty/job_control.h"
#include "vfs/fs_context.h"

namespace starry {

namespace {

Task* first_live_thread(const ThreadGroup& g) {
  const auto it = std::find_if(g.threads.begin(), g.threads.end(), [](const Task* t) { return !t->exiting; });
  return it == g.threads.end() ? nullptr : *it;
}

// PR_SET_PDEATHSIG counts the thread that made the child as its parent.
void send_parent_death_signals(Task& t, pid_t next_parent_tid) {
  for (const Ref<ThreadGroup>& child : std::vector(t.group->children)) {
    if (child->parent_tid != t.tid) continue;
    child->parent_tid = next_parent_tid;
    if (child->pdeath_signal != 0) (void)send_signal(*child, siginfo_user(child->pdeath_signal, t));
  }
}

// prctl(2), PR_SET_CHILD_SUBREAPER: the nearest living ancestor that asked for orphans, else init.
// Neither leaves the PID namespace, whose process 1 is the last resort.
ThreadGroup& reaper_for_children_of(ThreadGroup& g) {
  for (ThreadGroup* a = g.parent; a != nullptr && a->pid_ns == g.pid_ns; a = a->parent)
    if (a->child_subreaper && first_live_thread(*a) != nullptr) return *a;
  ThreadGroup* reaper = g.pid_ns->reaper;
  return reaper != nullptr && reaper != &g ? *reaper : init_group();
}

bool parent_ignores_death(const ThreadGroup& g) {
  if (g.parent == &init_group()) return true;
  if (g.parent->pid_ns->closed && g.parent->pid_ns->reaper == g.parent) return true;  // zap_pid_ns()
  if (g.exit_signal != SIGCHLD) return false;
  const KSigAction& a = action_of(*g.parent, SIGCHLD);
  return a.handler == HANDLER_IGNORE || (a.flags & SA_NOCLDWAIT) != 0;
}

void report_death(ThreadGroup& g) {
  const int signo = WTERMSIG(g.exit_status);
  const int code = signo == 0 ? CLD_EXITED : WCOREDUMP(g.exit_status) ? CLD_DUMPED : CLD_KILLED;
  const bool nobody_waits = parent_ignores_death(g);
  notify_parent(g, code, signo == 0 ? WEXITSTATUS(g.exit_status) : signo);
  if (nobody_waits) reap(g);
}

void give_children_away(ThreadGroup& g) {
  ThreadGroup& reaper = reaper_for_children_of(g);
  const std::vector<Ref<ThreadGroup>> children = std::move(g.children);
  g.children.clear();
  for (const Ref<ThreadGroup>& child : children) {
    child->parent = &reaper;
    child->parent_tid = reaper.threads.empty() ? 0 : reaper.leader()->tid;
    child->exit_signal = SIGCHLD;
    reaper.children.push_back(child);
    // getppid(2) may be answered outside the kernel, from what the thread's last event left there.
    for (Task* t : child->threads)
      if (t->host) t->host->kick();
  }
  for (const Ref<ThreadGroup>& child : children) {
    if (child->zombie) report_death(*child);
    hangup_if_orphaned(*child, g, nullptr);
  }
}

// The last thread is gone.
void end_group(ThreadGroup& g) {
  tty_leader_exits(g);
  give_children_away(g);
  g.timers.reset();
  g.exe_file.reset();  // the program may be written again (ETXTBSY)
  hangup_if_orphaned(g, *g.parent, &g);
  g.zombie = true;
  ptrace_tracee_gone(*g.leader(), g.exit_status);
  g.pidfd_queue.wake_all(EPOLLIN | EPOLLRDNORM);
  if (auto on_exit = std::move(g.on_exit)) on_exit(g.exit_status);
  report_death(g);
}

}  // namespace

void leave_mm(Task& t) {
  futex_exit_task(t);
  const int32_t zero = 0;
  // Nobody else could see the write if the address space goes away.
  if (t.clear_child_tid != 0 && t.mm->ref_count() > 1 &&
      t.mm->range_has(t.clear_child_tid, sizeof zero, PROT_WRITE)) {
    (void)t.mm->space->poke(t.clear_child_tid, &zero, sizeof zero);
    futex_wake_address(t, t.clear_child_tid, 1);
  }
  t.clear_child_tid = 0;
  if (t.vfork_pending) {
    t.vfork_pending = false;
    t.group->vfork_done.wake_all();
  }
}

void leave_files(Task& t) {
  const Ref<FdTable> files = std::move(t.files);
  if (!files || files->ref_count() > 1) return;
  for (const Ref<File>& f : files->take_all()) (void)f->flush(t);  // nobody to report an error to
}

void account_cpu_time(Task& t) {
  const CpuTimes used = cpu_times(t);
  t.group->utime_ns += used.user;
  t.group->stime_ns += used.system;
  t.utime_ns = t.stime_ns = t.syscall_ns = 0;
  t.group->io.add(std::exchange(t.io, {}));
}

Ref<const Cred> heir_of_space(const Task& t) {
  const bool confined =
      t.no_new_privs || t.seccomp || t.seccomp_strict || !t.group->dumpable || !t.group->pid_ns->initial();
  return confined ? nullptr : t.cred;
}

void kill_threads(ThreadGroup& g, const Task* keep) {
  for (Task* t : g.threads) {
    if (t == keep || t->exited) continue;
    t->sig.killed = true;
    notify_signal(*t);
  }
}

void reap(ThreadGroup& g) {
  CHECK(g.zombie);
  const Ref<ThreadGroup> keep(&g);
  unregister_group(g);
  unregister_task(*g.leader());
  std::erase(g.parent->children, keep);
  g.parent = nullptr;
}

void exit_group(Task& t, int status) {
  ThreadGroup& g = *t.group;
  if (!g.exiting) {
    g.exiting = true;
    g.exit_status = status;
  }
  g.stopping = g.stopped = false;
  kill_threads(g, nullptr);
}

void exit_task(Task& t, int status) {
  if (t.exiting) return;
  ThreadGroup& g = *t.group;
  const Ref<ThreadGroup> keep(&g);
  ptrace_exit(t, g.exiting ? g.exit_status : status);
  ptrace_tracer_exits(t);
  t.exiting = true;
  // What still has to be done (closing files, robust futexes) must not be cut short by what ended us.
  t.sig.killed = false;
  t.sig.stopped = true;
  if (!g.exiting && first_live_thread(g) == nullptr) {
    // The last thread's status is the process's.
    g.exiting = true;
    g.exit_status = status;
  }
  // Signals that had chosen this thread must find another one.
  set_blocked(t, ~SigSet{0});

  // A leader that an exec in another thread ends is reported as superseded, see become_leader.
  if (g.execing == nullptr || &t != g.leader()) trace_task_exit(t, status);
  if (t.mm) leave_mm(t);
  sem_exit(t);
  leave_files(t);
  if (g.pid_ns->reaper == &g && !g.pid_ns->closed && first_live_thread(g) == nullptr) zap_pid_ns(*g.pid_ns);
  t.fs.reset();
  t.ns.reset();
  account_cpu_time(t);
  if (t.host) t.host->exit(heir_of_space(t));
  destroy_later(std::move(t.host));
  t.mm.reset();
  t.restart_block = nullptr;

  // From here on nothing sleeps: the others see the thread either alive or gone.
  t.exited = true;
  g.voluntary_switches += t.se.nvcsw;
  count_switches_of_gone(t.se.nivcsw);
  scheduler().remove(t.se, platform().monotonic_ns());
  const Task* heir = first_live_thread(g);
  send_parent_death_signals(t, heir == nullptr ? 0 : heir->tid);
  check_stop_complete(g);
  if (&t != g.leader()) {
    ptrace_tracee_gone(t, g.exiting ? g.exit_status : status);
    unregister_task(t);
  }
  g.exec_wait.wake_all();
  const bool dead = std::all_of(g.threads.begin(), g.threads.end(), [](const Task* x) { return x->exited; });
  if (dead) end_group(g);
}

void task_died(Task& t) {
  exit_group(t, SIGKILL);
  // Suspended kernel code of the task runs to its end first: it holds references into this thread.
  if (t.fiber == nullptr && !t.call.active && in_task() && &current() == &t)
    exit_task(t, t.group->exit_status);
}

}  // namespace starry
