// Sending and delivering signals. Public face of src/emulated_kernel/signal/.
#pragma once

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/signal/task_signals.h"

namespace starry {

class Task;
class ThreadGroup;

// Makes a siginfo as kill(2) does: SI_USER with the sender's pid and uid.
SigInfo siginfo_user(int signo, const Task& from);
SigInfo siginfo_kernel(int signo);  // SI_KERNEL
// What the caller of rt_sigqueueinfo(2) says: its pid is passed on as it is, unlike the kernel-wide ones of
// others.
SigInfo claimed_siginfo(SigInfo info);

// Queues without permission checks. Wakes or kicks the thread that will take it. Ignored signals are
// dropped as in Linux's sig_ignored(). EAGAIN when the real-time queue limit is reached.
Result<void> send_signal(Task& target, const SigInfo& info);
Result<void> send_signal(ThreadGroup& target, const SigInfo& info);
int send_signal_pgrp(pid_t pgid, const SigInfo& info);  // number of processes reached
// A fault of the running instruction: unblocks and resets to default if blocked or ignored.
void force_signal(Task& target, const SigInfo& info);
void fault_to_signal(Task& t, const SigInfo& info);  // for EventKind::fault
// EventKind::bad_frame: the frame of the handler being entered could not be written.
void signal_bad_frame(Task& t);
// After rt_sigreturn(2), before somebody looks at the FP state or more is done with it. Suspends the fiber.
void take_left_fp(Task& t);
// Makes `t` look at its signals soon: ends its sleep, or interrupts its user code.
void notify_signal(Task& t);

// kill(2)'s permission rule. signo 0 = existence only.
bool may_signal(const Task& from, const ThreadGroup& to, int signo);

// True if `t` has a deliverable (unblocked) signal or is being killed or must stop.
bool signal_pending(const Task& t);
bool fatal_signal_pending(const Task& t);
// Sets the blocked mask (SIGKILL and SIGSTOP removed) and re-evaluates what is pending.
void set_blocked(Task& t, SigSet mask);
// Takes one pending signal out of `set` for sigtimedwait and signalfd. False if none.
bool dequeue_signal(Task& t, SigSet set, SigInfo* out);

// Called on the way back to user mode, after restart codes are known. Runs default actions (may end
// the task: then it does not return to user mode), stops, or sets up one handler. `syscall_result` is
// null when the task was not in a system call; restart codes are resolved here.
// The task is resumed by this function (host->resume or resume_signal) unless it exited or stopped.
void exit_to_user(Task& t, const SysResult* syscall_result);

// rt_sigaction with a reset of exec: handlers to default, ignored stay ignored.
void signals_on_exec(Task& t);

const char* signal_name(int signo);  // "SIGINT", "SIGRT_1"

}  // namespace starry
