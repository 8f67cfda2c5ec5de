// The pending sets: what is deliverable, taking one out, changing the mask.
#include <bit>
#include <csignal>

#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/ptrace.h"

namespace starry {

namespace {

SigSet deliverable(const Task& t) {
  return (t.sig.pending.bits | t.group->signals.pending.bits) & ~not_accepted(t);
}

// Takes the first instance of `signo`. A bit without an entry is a signal whose siginfo did not fit
// (see enqueue).
SigInfo take(PendingSet& p, int signo) {
  SigInfo info;
  info.signo = signo;
  info.code = SI_USER;
  bool found = false, more = false;
  for (auto it = p.queue.begin(); it != p.queue.end();) {
    if (it->signo != signo) {
      ++it;
    } else if (!found) {
      found = true;
      info = *it;
      it = p.queue.erase(it);
    } else {
      more = true;
      break;
    }
  }
  if (!more) p.bits &= ~sigbit(signo);
  return info;
}

}  // namespace

DefaultAction default_action(int signo) {
  switch (signo) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
      return DefaultAction::ignore;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
      return DefaultAction::stop;
    case SIGQUIT:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGSEGV:
    case SIGXCPU:
    case SIGXFSZ:
    case SIGSYS:
      return DefaultAction::core;
    default:
      return DefaultAction::terminate;
  }
}

bool action_ignores(const ThreadGroup& g, int signo) {
  const uint64_t handler = action_of(g, signo).handler;
  return handler == HANDLER_IGNORE ||
         (handler == HANDLER_DEFAULT && default_action(signo) == DefaultAction::ignore);
}

void discard_pending(PendingSet& p, SigSet set) {
  if ((p.bits & set) == 0) return;
  p.bits &= ~set;
  std::erase_if(p.queue, [&](const SigInfo& i) { return (set & sigbit(i.signo)) != 0; });
}

void discard_pending(ThreadGroup& g, SigSet set) {
  discard_pending(g.signals.pending, set);
  for (Task* t : g.threads) discard_pending(t->sig.pending, set);
}

bool signal_pending(const Task& t) {
  return t.sig.killed || deliverable(t) != 0 || (t.group->stopping && !t.sig.stopped) ||
         ptrace_trap_pending(t);
}

bool fatal_signal_pending(const Task& t) {
  if (t.sig.killed) return true;
  for (SigSet set = deliverable(t); set != 0; set &= set - 1) {
    const int signo = std::countr_zero(set) + 1;
    const DefaultAction action = default_action(signo);
    if (action_of(*t.group, signo).handler == HANDLER_DEFAULT &&
        (action == DefaultAction::terminate || action == DefaultAction::core))
      return true;
  }
  return false;
}

bool Task::signal_pending(SleepMode mode) const {
  return mode == SleepMode::killable ? fatal_signal_pending(*this) : starry::signal_pending(*this);
}

void set_blocked(Task& t, SigSet mask) {
  mask &= ~SIG_UNBLOCKABLE;
  const SigSet newly_blocked = mask & ~t.sig.blocked;
  t.sig.blocked = mask;
  // A process-directed signal that had chosen this thread must find another one.
  const SigSet orphaned = t.group->signals.pending.bits & newly_blocked;
  if (orphaned == 0 || t.group->threads.size() < 2) return;
  for (Task* other : t.group->threads)
    if (other != &t && !other->exiting && (orphaned & ~not_accepted(*other)) != 0) notify_signal(*other);
}

bool dequeue_signal(Task& t, SigSet set, SigInfo* out) {
  PendingSet* const sets[] = {&t.sig.pending, &t.group->signals.pending};
  for (PendingSet* p : sets) {
    SigSet ready = p->bits & set;
    if (ready == 0) continue;
    if ((ready & SIG_SYNCHRONOUS) != 0) ready &= SIG_SYNCHRONOUS;
    *out = take(*p, std::countr_zero(ready) + 1);
    return true;
  }
  return false;
}

}  // namespace starry
