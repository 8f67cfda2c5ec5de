// What the pieces of signal/ share: default actions and classes of signals (signal(7)).
#pragma once

#include "emulated_kernel/signal/task_signals.h"
#include "emulated_kernel/task/task.h"

namespace starry {

inline constexpr int SIG_COUNT = 64;
inline constexpr int FIRST_RT_SIGNAL = 32;  // the kernel's SIGRTMIN; libc keeps the first two for itself
inline constexpr uint64_t HANDLER_DEFAULT = 0, HANDLER_IGNORE = 1;

enum class DefaultAction : uint8_t { terminate, core, ignore, stop };
DefaultAction default_action(int signo);

// SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU. SIGCONT discards them and the other way round.
inline constexpr SigSet SIG_STOP_SET = 0xfULL << 18;
// Faults of an instruction are delivered before anything else, so that their frame shows it.
inline constexpr SigSet SIG_SYNCHRONOUS =
    sigbit(4) | sigbit(5) | sigbit(7) | sigbit(8) | sigbit(11) | sigbit(31);

inline bool valid_signal(int signo) { return signo >= 1 && signo <= SIG_COUNT; }
inline KSigAction& action_of(const ThreadGroup& g, int signo) {
  return g.signals.handlers->actions[static_cast<size_t>(signo - 1)];
}

// What would keep `signo` from being delivered to `t` now. A thread in sigtimedwait takes the signals
// that it waits for although they are blocked.
inline SigSet not_accepted(const Task& t) { return t.sig.blocked & ~t.sig.sigwait; }

// True if the action is to ignore, explicitly or by default.
bool action_ignores(const ThreadGroup& g, int signo);

// Removes every pending signal of `set` from the process and its threads.
void discard_pending(ThreadGroup& g, SigSet set);
void discard_pending(PendingSet& p, SigSet set);

// Group stop, signal/stop.cc. begin_group_stop makes all threads stop; wait_while_stopped is where each
// of them sleeps; end_group_stop is the effect of SIGCONT. thread_leaves_stop: a thread that will never
// stop any more (exit) may have been the last one the others waited for.
void begin_group_stop(ThreadGroup& g, int signo);
void wait_while_stopped(Task& t);
void end_group_stop(ThreadGroup& g);
void check_stop_complete(ThreadGroup& g);

// SIGCHLD to the parent about a change of state of `g`: CLD_* with `status` an exit code or signal.
void notify_parent(ThreadGroup& g, int code, int status);

}  // namespace starry
