// Receiving signals: sigaction(2), sigprocmask(2), sigtimedwait(2), sigsuspend(2), sigreturn(2).
#include <csignal>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/signal/altstack.h"
#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"

namespace starry {

namespace {

Result<void> check_sigset_size(size_t size) {
  if (size != sizeof(SigSet)) return Error{EINVAL};
  return {};
}

// sa_flags that Linux knows; it clears the others so that programs can probe (sigaction(2)).
constexpr uint64_t KNOWN_SA_FLAGS = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART |
                                    SA_NODEFER | static_cast<uint32_t>(SA_RESETHAND) |
                                    0x04000000 /* SA_RESTORER */ | 0x800 /* SA_EXPOSE_TAGBITS */;

void set_action(Task& t, int signo, KSigAction action) {
  ThreadGroup& g = *t.group;
  action.flags &= KNOWN_SA_FLAGS;
  action.mask &= ~SIG_UNBLOCKABLE;
  action_of(g, signo) = action;
  // POSIX: setting a pending signal to be ignored discards it.
  if (action_ignores(g, signo)) discard_pending(g, sigbit(signo));
}

// Sleeps until a signal is pending.
void sleep_for_signal() {
  const bool never = false;
  (void)sleep_until(never, Deadline::never());
}

}  // namespace

SysResult sys_rt_sigaction(Task& t, int signum, UserPtr<const KSigAction> act, UserPtr<KSigAction> oldact,
                           size_t sigsetsize) {
  TRY(check_sigset_size(sigsetsize));
  KSigAction next;
  if (act) TRY(t.mem().read(act.addr, &next, sizeof next));
  if (!valid_signal(signum)) return Error{EINVAL};
  if (act && (signum == SIGKILL || signum == SIGSTOP)) return Error{EINVAL};
  const KSigAction old = action_of(*t.group, signum);
  if (act) set_action(t, signum, next);
  if (oldact) TRY(t.mem().put(oldact, old));
  return 0;
}

SysResult sys_rt_sigprocmask(Task& t, int how, UserPtr<const uint64_t> set, UserPtr<uint64_t> oldset,
                             size_t sigsetsize) {
  TRY(check_sigset_size(sigsetsize));
  const SigSet old = t.sig.blocked;
  if (set) {
    SigSet mask = 0;
    TRY(t.mem().read(set.addr, &mask, sizeof mask));
    switch (how) {
      case SIG_BLOCK:
        mask = old | mask;
        break;
      case SIG_UNBLOCK:
        mask = old & ~mask;
        break;
      case SIG_SETMASK:
        break;
      default:
        return Error{EINVAL};
    }
    set_blocked(t, mask);
  }
  if (oldset) TRY(t.mem().put(oldset, old));
  return 0;
}

SysResult sys_rt_sigpending(Task& t, UserPtr<uint64_t> set, size_t sigsetsize) {
  if (sigsetsize > sizeof(SigSet)) return Error{EINVAL};
  const SigSet pending = (t.sig.pending.bits | t.group->signals.pending.bits) & t.sig.blocked;
  TRY(t.mem().write(set.addr, &pending, sigsetsize));
  return 0;
}

SysResult sys_rt_sigtimedwait(Task& t, UserPtr<const uint64_t> set, UserPtr<SigInfo> info,
                              UserPtr<const timespec> timeout, size_t sigsetsize) {
  TRY(check_sigset_size(sigsetsize));
  SigSet wanted = 0;
  TRY(t.mem().read(set.addr, &wanted, sizeof wanted));
  Deadline deadline = Deadline::never();
  if (timeout) {
    timespec ts{};
    TRY(t.mem().read(timeout.addr, &ts, sizeof ts));
    if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= 1'000'000'000) return Error{EINVAL};
    constexpr int64_t MOST_SECONDS = INT64_MAX / 1'000'000'000 - 1;
    if (ts.tv_sec < MOST_SECONDS)
      deadline = Deadline::after(static_cast<uint64_t>(ts.tv_sec) * 1'000'000'000 +
                                 static_cast<uint64_t>(ts.tv_nsec));
  }
  wanted &= ~SIG_UNBLOCKABLE;

  SigInfo got;
  Wake woken = Wake::signal;
  bool found = dequeue_signal(t, wanted, &got);
  if (!found && !(timeout && deadline.passed())) {
    const bool never = false;
    t.sig.sigwait = wanted;
    woken = sleep_until(never, deadline);
    t.sig.sigwait = 0;
    found = dequeue_signal(t, wanted, &got);
  } else if (!found) {
    woken = Wake::timeout;
  }
  if (!found) return Error{woken == Wake::timeout ? EAGAIN : EINTR};
  if (info) TRY(t.mem().put(info, got));
  return got.signo;
}

SysResult sys_rt_sigsuspend(Task& t, UserPtr<const uint64_t> mask, size_t sigsetsize) {
  TRY(check_sigset_size(sigsetsize));
  SigSet during = 0;
  TRY(t.mem().read(mask.addr, &during, sizeof during));
  t.sig.saved_mask = t.sig.blocked;
  t.sig.restore_saved = true;
  set_blocked(t, during);
  sleep_for_signal();
  return Error{ERESTARTNOHAND};
}

SysResult sys_pause(Task&) {
  sleep_for_signal();
  return Error{ERESTARTNOHAND};
}

SysResult sys_sigaltstack(Task& t, UserPtr<const GuestStackT> ss, UserPtr<GuestStackT> old_ss) {
  const uint64_t sp = t.regs().rsp;
  const GuestStackT old = alt_stack_state(t, sp);
  if (ss) {
    GuestStackT next{};
    TRY(t.mem().read(ss.addr, &next, sizeof next));
    TRY(set_alt_stack(t, next, sp));
  }
  if (old_ss) TRY(t.mem().put(old_ss, old));
  return 0;
}

SysResult sys_rt_sigreturn(Task& t) {
  auto frame = t.host->load_signal_frame();
  if (!frame) {
    force_signal(t, siginfo_kernel(SIGSEGV));
    return 0;
  }
  set_blocked(t, frame->mask);
  if (t.ptrace) take_left_fp(t);  // it may look at the registers
  GuestStackT ss{};
  ss.sp = frame->altstack_sp;
  ss.size = frame->altstack_size;
  ss.flags = static_cast<int32_t>(frame->altstack_flags);
  // As in Linux, a bad stack in the frame does not fail the return.
  (void)set_alt_stack(t, ss, t.regs().rsp);
  return static_cast<int64_t>(t.regs().rax);
}

SysResult sys_restart_syscall(Task& t) {
  if (!t.restart_block) return Error{EINTR};
  const auto block = std::move(t.restart_block);
  t.restart_block = nullptr;
  return block(t);
}

}  // namespace starry
