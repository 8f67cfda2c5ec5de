// The way back to user mode: restart of interrupted calls, default actions, entering handlers.
#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/entry/restart.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/rseq.h"
#include "emulated_kernel/signal/altstack.h"
#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/core_dump.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/trace/tracer.h"

namespace starry {

namespace {

constexpr uint64_t FLAG_RESTORER = 0x04000000;  // SA_RESTORER
constexpr uint64_t RED_ZONE = 128;              // below rsp, x86-64 psABI

void use_default_for_segv(ThreadGroup& g) { action_of(g, SIGSEGV).handler = HANDLER_DEFAULT; }

// No frame could be made for `signo`: SIGSEGV, which kills if it was SIGSEGV's own handler.
void frame_failed(Task& t, int signo) {
  if (signo == SIGSEGV) use_default_for_segv(*t.group);
  force_signal(t, siginfo_kernel(SIGSEGV));
}

// Enters the handler of `info`, whose action was taken out by the caller. False: SIGSEGV is pending
// instead.
bool enter_handler(Task& t, const SigInfo& info, const KSigAction& action) {
  if (t.rseq != 0) rseq_handle_return(t, true);
  const uint64_t sp = t.regs().rsp;
  ResumeSignal frame;
  frame.signo = info.signo;
  frame.handler = action.handler;
  frame.restorer = action.restorer;
  frame.sp = sp - RED_ZONE;
  bool on_alt = on_alt_stack(t, sp);
  if ((action.flags & SA_ONSTACK) != 0 && !on_alt && t.sig.alt_size != 0) {
    frame.sp = t.sig.alt_sp + t.sig.alt_size;
    on_alt = true;
  }
  const bool overflows = on_alt && frame.sp - t.sig.alt_sp < signal_frame_size();
  // The x86-64 ABI has no other way to return from a handler than SA_RESTORER.
  if (overflows || (action.flags & FLAG_RESTORER) == 0) {
    frame_failed(t, info.signo);
    return false;
  }
  if (t.mm) t.mm->grow_for_frame(*t.host, frame.sp, signal_frame_size());
  frame.saved_mask = t.sig.restore_saved ? t.sig.saved_mask : t.sig.blocked;
  frame.altstack_sp = t.sig.alt_sp;
  frame.altstack_size = t.sig.alt_size;
  frame.altstack_flags = t.sig.alt_flags;
  std::memcpy(frame.siginfo, &info, sizeof info);

  t.sig.frame_signo = info.signo;
  t.sig.frame_old_mask = frame.saved_mask;
  t.sig.restore_saved = false;
  SigSet blocked = t.sig.blocked | action.mask;
  if ((action.flags & SA_NODEFER) == 0) blocked |= sigbit(info.signo);
  set_blocked(t, blocked);
  if ((static_cast<int32_t>(t.sig.alt_flags) & ALT_AUTODISARM) != 0) reset_alt_stack(t);

  frame.again = signal_pending(t);
  if (ptrace_stepping(t)) [[unlikely]]
    frame.again = t.ptrace->stepped_into_handler = true;
  t.host->resume_signal(frame);
  return true;
}

// The default action of `info`. False if the thread goes on.
bool default_action_ends(Task& t, const SigInfo& info) {
  switch (default_action(info.signo)) {
    case DefaultAction::ignore:
      return false;
    case DefaultAction::stop:
      // Nobody could continue an orphaned group: the terminal's stop signals do not stop it (setpgid(2)).
      if (info.signo == SIGSTOP || !pgrp_is_orphaned(t.group->pgid)) begin_group_stop(*t.group, info.signo);
      return false;
    case DefaultAction::core:
      exit_group(t, info.signo | (core_dump(t, info) ? WCOREFLAG : 0));
      return true;
    case DefaultAction::terminate:
      exit_group(t, info.signo);
      return true;
  }
  __builtin_unreachable();
}

void run_on(Task& t) {
  if (ptrace_stepping(t)) [[unlikely]]
    ptrace_begin_step(t);
  t.host->resume();
}

// Handles everything that is pending. `restart` is a restart code or 0.
void handle_signals(Task& t, int restart) {
  take_left_fp(t);
  for (;;) {
    if (t.sig.killed) {
      exit_task(t, t.group->exit_status);
      return;
    }
    if (ptrace_trap_pending(t)) {
      t.ptrace->interrupt = false;
      ptrace_group_stop(t);
      continue;
    }
    if (t.group->stopping) {
      wait_while_stopped(t);
      if (t.rseq != 0) rseq_handle_return(t, true);  // it may come back on another CPU
      continue;
    }
    SigInfo info;
    if (dequeue_signal(t, ~t.sig.blocked, &info)) {
      if (t.ptrace && info.signo != SIGKILL) [[unlikely]] {
        if (restart != 0) t.regs().rax = static_cast<uint64_t>(-static_cast<int64_t>(restart));
        const std::shared_ptr<PtraceState> p = t.ptrace;
        const int64_t call = p->orig_rax;
        const bool deliver = ptrace_signal(t, info);
        if (call != -1 && p->orig_rax == -1) restart = 0;  // the tracer made it run something else
        if (!deliver) continue;
      }
      trace_signal(t, info);
      KSigAction& slot = action_of(*t.group, info.signo);
      if (slot.handler == HANDLER_IGNORE) continue;
      if (slot.handler == HANDLER_DEFAULT) {
        if (t.group->unkillable && info.signo != SIGKILL && info.signo != SIGSTOP) continue;
        (void)default_action_ends(t, info);
        continue;
      }
      const KSigAction action = slot;
      if ((action.flags & SA_RESETHAND) != 0) slot.handler = HANDLER_DEFAULT;
      resolve_restart(t, restart, &action);
      restart = 0;
      if (enter_handler(t, info, action)) return;
      continue;
    }
    resolve_restart(t, restart, nullptr);
    restart = 0;
    if (!t.sig.restore_saved) break;
    // No handler ran: the mask of sigsuspend or ppoll ends here.
    t.sig.restore_saved = false;
    set_blocked(t, t.sig.saved_mask);
  }
  run_on(t);
}

}  // namespace

void take_left_fp(Task& t) {
  const auto r = t.host->load_left_fp();
  if (!r.ok() && r.error().code == EFAULT) force_signal(t, siginfo_kernel(SIGSEGV));
}

void exit_to_user(Task& t, const SysResult* syscall_result) {
  if (t.exited) return;
  int restart = 0;
  if (syscall_result != nullptr) {
    const int code = syscall_result->code();
    if (code == 0) {
      t.regs().rax = static_cast<uint64_t>(syscall_result->value());
    } else if (is_restart_code(code)) {
      restart = code;
    } else {
      t.regs().rax = static_cast<uint64_t>(-static_cast<int64_t>(code));
    }
  }
  if (restart == 0 && !t.sig.restore_saved && !signal_pending(t)) [[likely]] {
    run_on(t);
    return;
  }
  handle_signals(t, restart);
}

void signal_bad_frame(Task& t) {
  set_blocked(t, t.sig.frame_old_mask);
  frame_failed(t, t.sig.frame_signo);
}

void signals_on_exec(Task& t) {
  ThreadGroup& g = *t.group;
  if (g.signals.handlers->ref_count() > 1) {  // CLONE_SIGHAND with another process
    Ref<SigHandlers> own = make_ref<SigHandlers>();
    own->actions = g.signals.handlers->actions;
    g.signals.handlers = own;
  }
  for (KSigAction& a : g.signals.handlers->actions) {
    const uint64_t keep = a.handler == HANDLER_IGNORE ? HANDLER_IGNORE : HANDLER_DEFAULT;
    a = KSigAction{};
    a.handler = keep;
  }
  t.sig.alt_sp = t.sig.alt_size = 0;
  t.sig.restore_saved = false;
}

}  // namespace starry
