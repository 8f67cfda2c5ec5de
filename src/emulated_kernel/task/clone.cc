#include "emulated_kernel/task/clone.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/mman.h>

#include <csignal>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/fd/pidfd.h"
#include "emulated_kernel/ipc/sem.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/signal/altstack.h"
#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/cpu_limit.h"
#include "emulated_kernel/task/ns_proxy.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/ptrace.h"
#include "vfs/fs_context.h"

namespace starry {

namespace {

// What a new process may get of its own, besides the user namespace that rules over it.
struct NewNamespaces {
  Ref<const Cred> cred;
  Ref<const Namespaces> ns;
};

// copy_creds(), copy_namespaces()
Result<NewNamespaces> namespaces_for_child(const Task& parent, uint64_t flags) {
  NewNamespaces n{parent.cred, parent.ns};
  if ((flags & CLONE_NEWUSER) != 0) {
    const Ref<Cred> next = parent.cred->copy();
    TRY(create_user_ns(*next, is_chrooted(*parent.fs)));
    n.cred = next;
  }
  if ((flags & (CLONE_NEWNS | NEW_NAMESPACES)) != 0) {
    if (!n.cred->capable_here(CAP_SYS_ADMIN)) return Error{EPERM};
    n.ns = TRY(copy_namespaces(parent, *n.cred, flags));
  }
  if ((flags & CLONE_VM) == 0) n.ns = with_time_for_children(n.ns);
  return n;
}

// Combinations that clone(2) refuses (copy_process).
Result<void> check_flags(const Task& parent, uint64_t flags) {
  const auto has = [flags](uint64_t f) { return (flags & f) == f; };
  const auto any = [flags](uint64_t f) { return (flags & f) != 0; };
  if (has(CLONE_NEWNS | CLONE_FS) || has(CLONE_NEWUSER | CLONE_FS)) return Error{EINVAL};
  if (any(CLONE_THREAD) && !any(CLONE_SIGHAND)) return Error{EINVAL};
  if (any(CLONE_SIGHAND) && !any(CLONE_VM)) return Error{EINVAL};
  if (any(CLONE_PARENT) && (parent.group->parent == nullptr || parent.group->unkillable))
    return Error{EINVAL};
  if (any(CLONE_THREAD) && any(CLONE_NEWUSER | CLONE_NEWPID)) return Error{EINVAL};
  if (any(CLONE_PIDFD) && any(CLONE_DETACHED | CLONE_THREAD)) return Error{EINVAL};
  if (has(CLONE_NEWIPC | CLONE_SYSVSEM)) return Error{EINVAL};
  if (any(CLONE_THREAD) && parent.ns->pid_for_children != parent.group->pid_ns) return Error{EINVAL};
  return {};
}

// The numbers that clone3's set_tid asks for, innermost namespace first (clone3(2), "The set_tid array").
Result<std::vector<pid_t>> wanted_tids(Task& parent, const CloneArgs& args, const PidNamespace& ns) {
  if (args.set_tid_size > static_cast<uint64_t>(ns.level) + 1) return Error{EINVAL};
  const std::vector<pid_t> wanted =
      TRY(parent.mem().get_array(UserPtr<pid_t>{args.set_tid}, static_cast<size_t>(args.set_tid_size)));
  const PidNamespace* at = &ns;
  for (const pid_t tid : wanted) {
    if (tid < 1 || tid >= PID_MAX) return Error{EINVAL};
    if (!parent.cred->capable_in(at->user_ns(), CAP_SYS_ADMIN) &&
        !parent.cred->capable_in(at->user_ns(), CAP_CHECKPOINT_RESTORE))
      return Error{EPERM};
    at = at->parent.get();
  }
  return wanted;
}

// The new task's id: the next one, or the one asked for; and its numbers in other PID namespaces than the
// initial one.
Result<pid_t> choose_tid(Task& parent, const CloneArgs& args, PidNamespace& ns) {
  const std::vector<pid_t> wanted = TRY(wanted_tids(parent, args, ns));
  const auto level = static_cast<size_t>(ns.level);
  const pid_t tid = wanted.size() > level ? TRY(claim_pid(wanted[level])) : alloc_pid();
  TRY(assign_numbers(ns, tid, wanted));
  return tid;
}

Result<void> check_process_limit(const Task& parent) {
  const uint64_t limit = parent.rlimit(RLIMIT_NPROC);
  if (static_cast<uint64_t>(count_tasks()) < limit) return {};
  if (static_cast<uint64_t>(count_tasks_of(parent.cred->uid)) < limit) return {};
  if (parent.cred->uid == 0 || parent.cred->capable(CAP_SYS_RESOURCE) || parent.cred->capable(CAP_SYS_ADMIN))
    return {};
  return Error{EAGAIN};
}

Ref<SigHandlers> handlers_for(const ThreadGroup& from, uint64_t flags) {
  if ((flags & CLONE_SIGHAND) != 0) return from.signals.handlers;
  Ref<SigHandlers> copy = make_ref<SigHandlers>();
  copy->actions = from.signals.handlers->actions;
  if ((flags & CLONE_CLEAR_SIGHAND) != 0)
    for (KSigAction& a : copy->actions)
      if (a.handler != HANDLER_IGNORE) a = KSigAction{};
  return copy;
}

Ref<ThreadGroup> new_group(const Task& parent, pid_t tgid, const Ref<PidNamespace>& pid_ns, uint64_t flags,
                           int exit_signal) {
  const ThreadGroup& from = *parent.group;
  Ref<ThreadGroup> g = make_ref<ThreadGroup>(tgid);
  g->pid_ns = pid_ns;
  g->own_tgid = pid_ns->number(tgid);
  const bool sibling = (flags & CLONE_PARENT) != 0;
  g->parent = sibling ? from.parent : parent.group.get();
  g->parent_tid = sibling ? from.parent_tid : parent.tid;
  g->exit_signal = sibling ? from.exit_signal : exit_signal;
  g->pgid = from.pgid;
  g->session = from.session;
  g->rlimits = from.rlimits;
  g->signals.handlers = handlers_for(from, flags);
  g->dumpable = from.dumpable;
  g->start_time_ns = platform().boottime_ns();
  g->tty_given_up = from.tty_given_up;
  g->prctl = from.prctl;
  g->exe_path = from.exe_path;
  g->exe_file = from.exe_file;
  g->cmdline_at_exec = from.cmdline_at_exec;
  g->personality = from.personality;
  g->oom_score_adj = from.oom_score_adj;
  watch_cpu_limits(*g);
  return g;
}

// CLONE_SYSVSEM: one list from now on, even if it is still empty.
std::shared_ptr<SemUndoList> share_sem_undo(Task& parent, uint64_t flags) {
  if ((flags & CLONE_SYSVSEM) == 0) return nullptr;
  if (!parent.sem_undo) parent.sem_undo = std::make_shared<SemUndoList>();
  return parent.sem_undo;
}

Ref<Task> new_task(Task& parent, pid_t tid, Ref<ThreadGroup> group, const CloneArgs& args,
                   NewNamespaces own) {
  const uint64_t flags = args.flags;
  Ref<Task> child = make_ref<Task>(tid, std::move(group));
  child->own_tid = child->shown_pid(tid);
  child->cred = std::move(own.cred);
  child->ns = std::move(own.ns);
  child->comm = parent.comm;
  child->no_new_privs = parent.no_new_privs;
  child->keep_caps = parent.keep_caps;
  child->timer_slack_ns = child->default_timer_slack_ns = parent.timer_slack_ns;
  child->files = (flags & CLONE_FILES) != 0 ? parent.files : parent.files->copy();
  child->fs = (flags & CLONE_FS) != 0 ? parent.fs : parent.fs->copy();
  if ((flags & CLONE_NEWNS) != 0) unshare_mounts(*child->fs, child->cred->user_ns);
  child->sig.blocked = parent.sig.blocked;
  child->sig.alt_sp = parent.sig.alt_sp;
  child->sig.alt_size = parent.sig.alt_size;
  child->sig.alt_flags = parent.sig.alt_flags;
  if ((flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM) reset_alt_stack(*child);
  if ((flags & CLONE_VM) == 0) {  // rseq(2): registration is inherited by fork only
    child->rseq = parent.rseq;
    child->rseq_len = parent.rseq_len;
    child->rseq_sig = parent.rseq_sig;
  }
  if ((flags & CLONE_CHILD_CLEARTID) != 0) child->clear_child_tid = args.child_tid;
  child->sem_undo = share_sem_undo(parent, flags);
  child->seccomp = parent.seccomp;
  child->seccomp_strict = parent.seccomp_strict;
  child->ioprio = parent.ioprio;
  child->mempolicy = parent.mempolicy;
  child->mempolicy_nodes = parent.mempolicy_nodes;
  child->vfork_pending = (flags & CLONE_VFORK) != 0;
  return child;
}

// Gives the child its memory and its carrier. The parent's map stays locked while the host copies it.
Result<void> make_carrier(Task& parent, Task& child, uint64_t flags) {
  if ((flags & CLONE_VM) != 0) {
    child.mm = parent.mm;
    child.host = TRY(parent.host->clone_thread(child));
    return {};
  }
  MutexGuard guard(parent.mm->lock);
  auto [space, host] = TRY(parent.host->fork(child));
  child.mm = parent.mm->fork(std::move(space));
  child.host = std::move(host);
  return {};
}

// A thread id for user space, seen at once by both sides: not through the buffers that are copied when
// a system call returns, since the child may run before that. Errors are ignored, as in Linux.
void put_tid(const Task& t, UserAddr addr, pid_t tid) {
  if (t.mm->range_has(addr, sizeof tid, PROT_WRITE)) (void)t.mm->space->poke(addr, &tid, sizeof tid);
}

void undo(Task& child, bool thread) {
  child.exiting = child.exited = true;
  scheduler().remove(child.se, platform().monotonic_ns());
  ThreadGroup& g = *child.group;
  if (!thread && g.pid_ns->reaper == &g) {
    g.pid_ns->reaper = nullptr;
    g.pid_ns->closed = true;
  }
  if (thread) {
    g.exec_wait.wake_all();
    check_stop_complete(g);
  } else {
    unregister_group(g);
    std::erase_if(g.parent->children, [&](const Ref<ThreadGroup>& c) { return c.get() == &g; });
  }
  unregister_task(child);
}

void set_child_regs(Task& child, const CloneArgs& args) {
  GuestRegs& r = child.regs();
  r.rax = 0;
  if (args.stack != 0) r.rsp = args.stack;
  if ((args.flags & CLONE_SETTLS) != 0) r.fs_base = args.tls;
}

}  // namespace

SysResult kernel_clone(Task& parent, const CloneArgs& args) {
  const uint64_t flags = args.flags;
  TRY(check_flags(parent, flags));
  // A signal that arrives now is for the parent alone; one that comes later also reaches the child.
  if (signal_pending(parent)) return Error{ERESTARTNOINTR};
  TRY(check_process_limit(parent));

  const bool thread = (flags & CLONE_THREAD) != 0;
  NewNamespaces own = TRY(namespaces_for_child(parent, flags));
  const Ref<PidNamespace> pid_ns = thread ? parent.group->pid_ns : own.ns->pid_for_children;
  const pid_t tid = TRY(choose_tid(parent, args, *pid_ns));
  Ref<ThreadGroup> group = parent.group;
  if (!thread) group = new_group(parent, tid, pid_ns, flags, static_cast<int>(args.exit_signal));
  Ref<Task> child = new_task(parent, tid, group, args, std::move(own));
  scheduler().fork_task(child->se, parent.se);

  int pidfd = -1;
  if ((flags & CLONE_PIDFD) != 0) {
    auto fd = parent.files->install(make_pidfd(*group), true, parent.rlimit(RLIMIT_NOFILE));
    if (auto r = fd ? parent.mem().put(UserPtr<int>{args.pidfd}, *fd) : Result<void>(fd.error()); !r) {
      if (fd) parent.files->remove(*fd);
      drop_numbers(*pid_ns, tid);
      return r.error();
    }
    pidfd = *fd;
  }

  // Visible from here on, so that signals to the process or its group reach the child as well.
  if (!thread) {
    group->parent->children.push_back(group);
    register_group(*group);
    if (!pid_ns->initial() && group->own_tgid == 1) {
      pid_ns->reaper = group.get();
      group->unkillable = true;
    }
  }
  register_task(child);
  if (auto made = make_carrier(parent, *child, flags); !made) {
    undo(*child, thread);
    if (pidfd >= 0) parent.files->remove(pidfd);
    return made.error();
  }
  set_child_regs(*child, args);
  const pid_t number = parent.shown_pid(tid);  // before it is gone
  if ((flags & CLONE_PARENT_SETTID) != 0) put_tid(parent, args.parent_tid, number);
  if ((flags & CLONE_CHILD_SETTID) != 0) put_tid(*child, args.child_tid, child->own_tid);

  const int event = ptrace_clone_event(parent, flags, static_cast<int>(args.exit_signal));
  if (parent.ptrace && (event != 0 || (flags & CLONE_PTRACE) != 0)) ptrace_attach_child(parent, *child);
  scheduler().wake(child->se, platform().monotonic_ns(), &parent.se);  // who makes one mostly waits soon
  const auto seen_by_tracer =
      static_cast<uint64_t>(parent.ptrace ? parent.ptrace->tracer->shown_pid(tid) : tid);
  if (event != 0) ptrace_event(parent, event, seen_by_tracer);
  if ((flags & CLONE_VFORK) != 0) {
    wait_until(
        group->vfork_done, Deadline::never(), [&] { return !child->vfork_pending; }, false,
        SleepMode::killable);
    ptrace_event(parent, PTRACE_EVENT_VFORK_DONE, seen_by_tracer);
  }
  return number;
}

}  // namespace starry
