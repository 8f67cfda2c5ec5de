// Sending: who may, what is dropped, what is queued, which thread takes it.
#include <sys/epoll.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/trace/tracer.h"

namespace starry {

namespace {

size_t queued_signals(const ThreadGroup& g) {
  size_t n = g.signals.pending.queue.size();
  for (const Task* t : g.threads) n += t->sig.pending.queue.size();
  return n;
}

// Signals queue up to RLIMIT_SIGPENDING. Beyond it sigqueue(3) of a real-time signal fails; kill(2) of one,
// and sigqueue(3) of a standard signal, still set the bit but lose the siginfo. The kernel's and kill(2)'s
// standard signals keep it, and timers brought theirs along. Of a standard signal only the first instance
// counts.
Result<void> enqueue(PendingSet& p, const ThreadGroup& g, const SigInfo& info) {
  const bool real_time = info.signo >= FIRST_RT_SIGNAL;
  if (!real_time && (p.bits & sigbit(info.signo)) != 0) return {};
  const bool room = queued_signals(g) < g.rlimits.cur(RLIMIT_SIGPENDING);
  if (real_time && !room && info.code != SI_USER) return Error{EAGAIN};
  if (room || (!real_time && (info.code >= 0 || info.code == SI_TIMER))) p.queue.push_back(info);
  p.bits |= sigbit(info.signo);
  return {};
}

bool has_pid_and_uid(const SigInfo& info) {
  switch (info.code) {
    case SI_USER:
    case SI_TKILL:
      return true;
    case SI_KERNEL:
    case SI_TIMER:
    case SI_ASYNCIO:
    case SI_SIGIO:
      return false;
    default:
      return info.code < 0 || info.signo == SIGCHLD;
  }
}

// Nobody in the receiver's PID namespace, and so allowed to kill its process 1.
bool sent_from_above(const Task& t) {
  return !in_task() || !current().group->pid_ns->is_below(*t.group->pid_ns);
}

// Ids in a siginfo are those of the receiver's namespaces (send_signal_locked()).
SigInfo as_seen_by(const Task& t, SigInfo info) {
  const bool claimed = std::exchange(info.claimed, 0) != 0;
  const UserNamespace& ids = *t.cred->user_ns;
  if (!claimed && t.group->pid_ns->initial() && ids.initial()) [[likely]]
    return info;
  if (!has_pid_and_uid(info)) return info;
  // The union has both members in the same places for all of these.
  if (claimed) {
    if (sent_from_above(t)) info.rt.pid = 0;
    info.rt.uid = current().cred->user_ns->kuid(info.rt.uid);
  } else {
    info.rt.pid = t.shown_pid(info.rt.pid);
  }
  info.rt.uid = ids.uid(info.rt.uid);
  return info;
}

// Process 1 of a PID namespace gets only what it has handlers for, but for SIGKILL and SIGSTOP from above.
bool spared(const Task& t, const SigInfo& info) {
  ThreadGroup& g = *t.group;
  if (!g.unkillable || action_of(g, info.signo).handler != HANDLER_DEFAULT) return false;
  const bool forced = info.code == SI_KERNEL || sent_from_above(t);
  return !forced || (info.signo != SIGKILL && info.signo != SIGSTOP);
}

// True if `signo` has an effect beyond the queues (SIGCONT, stop signals) or must be queued; false if
// it can be dropped.
bool prepare(Task& t, const SigInfo& info) {
  const int signo = info.signo;
  ThreadGroup& g = *t.group;
  if ((SIG_STOP_SET & sigbit(signo)) != 0) {
    discard_pending(g, sigbit(SIGCONT));
  } else if (signo == SIGCONT) {
    discard_pending(g, SIG_STOP_SET);
    end_group_stop(g);
  }
  // A traced process gets even what it ignores, as under strace: the log shows it, calls restart.
  const bool inescapable = signo == SIGKILL || signo == SIGSTOP;
  if (!inescapable && (trace_on() || t.ptrace)) return true;
  // A blocked signal is kept even if ignored now: the action may change before it is unblocked.
  if ((t.sig.blocked & sigbit(signo)) != 0) return true;
  return !action_ignores(g, signo) && !spared(t, info);
}

bool wants(const Task& t, int signo) {
  if (t.exiting || t.exited) return false;
  return (not_accepted(t) & sigbit(signo)) == 0 && !t.sig.stopped;
}

// The thread that a process-directed signal interrupts: the main thread if it accepts it, else the
// first other one, preferably without something to do already.
Task* choose_thread(ThreadGroup& g, int signo) {
  Task* busy = nullptr;
  for (Task* t : g.threads) {
    if (!wants(*t, signo)) continue;
    if (t == g.leader() || !signal_pending(*t)) return t;
    if (busy == nullptr) busy = t;
  }
  return busy;
}

Result<void> send(Task& t, PendingSet& pending, bool to_group, const SigInfo& sent) {
  const SigInfo info = as_seen_by(t, sent);
  ThreadGroup& g = *t.group;
  CHECK(valid_signal(info.signo));
  if (g.zombie || (!to_group && (t.exiting || t.exited))) return {};
  if (!prepare(t, info)) return {};
  if (info.signo == SIGKILL) {
    exit_group(t, SIGKILL);
    return {};
  }
  TRY(enqueue(pending, g, info));
  g.signals.signalfd_queue.wake_all(EPOLLIN);
  Task* taker = to_group ? choose_thread(g, info.signo) : wants(t, info.signo) ? &t : nullptr;
  if (taker != nullptr) notify_signal(*taker);
  return {};
}

}  // namespace

SigInfo siginfo_user(int signo, const Task& from) {
  SigInfo info;
  info.signo = signo;
  info.code = SI_USER;
  info.rt.pid = from.tgid();
  info.rt.uid = from.cred->uid;
  return info;
}

SigInfo claimed_siginfo(SigInfo info) {
  info.claimed = 1;
  return info;
}

SigInfo siginfo_kernel(int signo) {
  SigInfo info;
  info.signo = signo;
  info.code = SI_KERNEL;
  return info;
}

Result<void> send_signal(Task& target, const SigInfo& info) {
  return send(target, target.sig.pending, false, info);
}

Result<void> send_signal(ThreadGroup& target, const SigInfo& info) {
  if (target.threads.empty()) return {};  // init's stand-in, or just reaped
  return send(*target.leader(), target.signals.pending, true, info);
}

int send_signal_pgrp(pid_t pgid, const SigInfo& info) {
  int reached = 0;
  for_each_group([&](ThreadGroup& g) {
    if (g.pgid != pgid) return;
    ++reached;
    // kill(2) on a process group does not report the queue limit of single members.
    (void)send_signal(g, info);
  });
  return reached;
}

void force_signal(Task& target, const SigInfo& info) {
  KSigAction& action = action_of(*target.group, info.signo);
  if (action.handler == HANDLER_DEFAULT) target.group->unkillable = false;
  const bool blocked = (target.sig.blocked & sigbit(info.signo)) != 0;
  if (blocked || action.handler == HANDLER_IGNORE) {
    action.handler = HANDLER_DEFAULT;
    target.group->unkillable = false;
    target.sig.blocked &= ~sigbit(info.signo);
  }
  PendingSet& p = target.sig.pending;
  if ((p.bits & sigbit(info.signo)) == 0) p.queue.push_back(info);
  p.bits |= sigbit(info.signo);
  notify_signal(target);
}

void fault_to_signal(Task& t, const SigInfo& info) {
  if (info.signo == SIGSEGV && info.code == SEGV_MAPERR && t.mm && t.mm->grow_stack(*t.host, info.fault.addr))
    return;
  force_signal(t, info);
}

bool may_signal(const Task& from, const ThreadGroup& to, int signo) {
  if (from.group.get() == &to) return true;
  if (to.threads.empty()) return from.cred->capable(5 /* CAP_KILL */);
  const Cred& a = *from.cred;
  const Cred& b = *to.leader()->cred;
  if (a.euid == b.suid || a.euid == b.uid || a.uid == b.suid || a.uid == b.uid) return true;
  if (a.capable_in(*b.user_ns, 5 /* CAP_KILL */)) return true;
  return signo == SIGCONT && from.group->session == to.session;
}

void notify_signal(Task& t) {
  if (t.exited) return;
  if (t.fiber != nullptr) {
    if (t.se.state == SchedEntity::State::blocked) t.wake_up();
    return;  // in the kernel: it looks at its signals on the way out
  }
  const bool in_user_mode = t.se.state == SchedEntity::State::running && !(in_task() && &current() == &t);
  if (in_user_mode && t.host != nullptr) t.host->kick();
}

}  // namespace starry
