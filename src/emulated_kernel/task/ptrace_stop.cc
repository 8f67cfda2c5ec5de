// Where tracees stop, and what their tracers may change meanwhile.
#include <sys/wait.h>

#include <csignal>
#include <utility>

#include "emulated_kernel/entry/restart.h"
#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/ptrace.h"

namespace starry {

namespace {

constexpr uint64_t TRAP_FLAG = 0x100;  // of eflags

SigInfo trap_info(const Task& t, int code) {
  SigInfo info;
  info.signo = SIGTRAP;
  info.code = code;
  info.rt.pid = t.group->own_tgid;
  info.rt.uid = t.cred->user_ns->uid(t.cred->uid);
  return info;
}

void tell_tracer(const Task& t, const PtraceState& p) {
  ThreadGroup& g = *p.tracer->group;
  const KSigAction& action = action_of(g, SIGCHLD);
  if (action.handler != HANDLER_IGNORE && (action.flags & SA_NOCLDSTOP) == 0) {
    SigInfo info;
    info.signo = SIGCHLD;
    const bool group_stop =
        !p.has_info || (p.status >> 8 == PTRACE_EVENT_STOP && (p.status & 0x7f) != SIGTRAP);
    info.code = group_stop ? CLD_STOPPED : CLD_TRAPPED;
    info.chld.pid = t.tid;
    info.chld.uid = t.cred->uid;
    info.chld.status = p.status & 0x7f;
    (void)send_signal(g, info);
  }
  g.wait_chld.wake_all();
}

void set_call_from_regs(Task& t, int64_t nr) {
  const GuestRegs& r = t.regs();
  t.call.nr = nr;
  t.call.args[0] = r.rdi, t.call.args[1] = r.rsi, t.call.args[2] = r.rdx;
  t.call.args[3] = r.r10, t.call.args[4] = r.r8, t.call.args[5] = r.r9;
}

// Result of a call as it is in rax while its exit is reported.
int64_t as_rax(const SysResult& r) { return r.ok() ? r.value() : -static_cast<int64_t>(r.code()); }
SysResult from_rax(int64_t rax) {
  if (rax < 0 && is_restart_code(static_cast<int>(-rax))) return Error{static_cast<int>(-rax)};
  return rax;
}

int syscall_stop(Task& t, PtraceState::Where where) {
  const std::shared_ptr<PtraceState> p = t.ptrace;
  const int status = SIGTRAP | ((p->options & PTRACE_O_TRACESYSGOOD) != 0 ? 0x80 : 0);
  const SigInfo info = trap_info(t, status);
  p->where = where;
  const int signo = ptrace_stop(t, status, &info);
  p->where = PtraceState::Where::elsewhere;
  return signo;
}

void send_from_tracer(Task& t, const PtraceState& p, int signo) {
  if (signo == 0) return;
  SigInfo info = siginfo_user(signo, p.tracer != nullptr ? *p.tracer : t);
  (void)send_signal(t, info);
}

}  // namespace

int ptrace_stop(Task& t, int status, const SigInfo* info) {
  const std::shared_ptr<PtraceState> p = t.ptrace;  // the tracer may let go meanwhile
  if (t.sig.killed) return 0;
  p->status = status;
  p->has_info = info != nullptr;
  if (info != nullptr) p->info = *info;
  p->next_signal = 0;
  p->stopped = p->unwaited = true;
  tell_tracer(t, *p);
  while (p->stopped && !t.sig.killed) t.block();
  p->stopped = p->unwaited = false;
  return t.sig.killed ? 0 : p->next_signal;
}

void ptrace_event(Task& t, int event, uint64_t message) {
  if (!t.ptrace || (t.ptrace->options & (1U << event)) == 0) return;
  t.ptrace->message = message;
  const int status = SIGTRAP | event << 8;
  const SigInfo info = trap_info(t, status);
  const std::shared_ptr<PtraceState> p = t.ptrace;
  send_from_tracer(t, *p, ptrace_stop(t, status, &info));
}

bool ptrace_syscall_enter(Task& t) {
  const std::shared_ptr<PtraceState> p = t.ptrace;
  p->orig_rax = t.call.nr;
  t.regs().eflags &= ~TRAP_FLAG;
  if (p->run != PtraceState::Run::syscall) return true;
  t.regs().rax = static_cast<uint64_t>(-int64_t{ENOSYS});
  send_from_tracer(t, *p, syscall_stop(t, PtraceState::Where::syscall_entry));
  set_call_from_regs(t, p->orig_rax);
  return p->orig_rax != -1;
}

SysResult ptrace_syscall_exit(Task& t, SysResult result) {
  const std::shared_ptr<PtraceState> p = t.ptrace;
  if (p->run == PtraceState::Run::step && !t.exited) {
    SigInfo info;
    info.signo = SIGTRAP;
    info.code = TRAP_TRACE;
    info.fault.addr = t.regs().rip;
    force_signal(t, info);
  }
  if (p->run != PtraceState::Run::syscall) return result;
  t.regs().rax = static_cast<uint64_t>(as_rax(result));
  send_from_tracer(t, *p, syscall_stop(t, PtraceState::Where::syscall_exit));
  return from_rax(static_cast<int64_t>(t.regs().rax));
}

bool ptrace_signal(Task& t, SigInfo& info) {
  const std::shared_ptr<PtraceState> p = t.ptrace;
  const int signo = ptrace_stop(t, info.signo, &info);
  if (signo == 0) return false;
  if (signo != info.signo) {
    info = p->tracer != nullptr ? siginfo_user(signo, *p->tracer) : siginfo_kernel(signo);
  } else {
    info = p->info;  // PTRACE_SETSIGINFO
  }
  if ((t.sig.blocked & sigbit(signo)) != 0) {
    (void)send_signal(t, info);
    return false;
  }
  return true;
}

void ptrace_begin_step(Task& t) { t.regs().eflags |= TRAP_FLAG; }
void ptrace_end_step(Task& t) {
  t.regs().eflags &= ~TRAP_FLAG;
  t.ptrace->orig_rax = -1;  // it comes from user mode, not from a system call
}

void ptrace_handler_entered(Task& t) {
  PtraceState& p = *t.ptrace;
  ptrace_end_step(t);
  if (!std::exchange(p.stepped_into_handler, false) || p.run != PtraceState::Run::step) return;
  SigInfo info;
  info.signo = SIGTRAP;
  info.code = TRAP_TRACE;
  info.fault.addr = t.regs().rip;
  force_signal(t, info);
}

// do_jobctl_trap(). Whoever resumes the tracee ends the group stop as far as it is concerned.
void ptrace_group_stop(Task& t) {
  const std::shared_ptr<PtraceState> p = t.ptrace;
  ThreadGroup& g = *t.group;
  const int signo = g.stopping ? g.stop_signal : SIGTRAP;
  if (!p->seized) {
    (void)ptrace_stop(t, signo, nullptr);
  } else {
    const int status = signo | PTRACE_EVENT_STOP << 8;
    SigInfo info = trap_info(t, status);
    info.signo = signo;
    (void)ptrace_stop(t, status, &info);
  }
}

void ptrace_stop_ended(Task& t) {
  if (!t.ptrace || !t.ptrace->stopped) return t.wake_up();
  PtraceState& p = *t.ptrace;
  if (!p.listening) return;
  p.listening = p.stopped = false;
  p.interrupt = true;  // it stops again at once, for the new state
  t.wake_up();
}

void ptrace_exec(Task& t, pid_t old_tid) {
  if (!t.ptrace) return;
  if ((t.ptrace->options & PTRACE_O_TRACEEXEC) != 0) {
    ptrace_event(t, PTRACE_EVENT_EXEC, static_cast<uint64_t>(old_tid));
  } else if (!t.ptrace->seized) {
    (void)send_signal(t, siginfo_user(SIGTRAP, t));
  }
}

void ptrace_exit(Task& t, int status) {
  if (!t.ptrace || (t.ptrace->options & PTRACE_O_TRACEEXIT) == 0) return;
  // It is on its way out already; only another SIGKILL ends this stop.
  t.sig.killed = false;
  ptrace_event(t, PTRACE_EVENT_EXIT, static_cast<uint64_t>(status));
}

}  // namespace starry
