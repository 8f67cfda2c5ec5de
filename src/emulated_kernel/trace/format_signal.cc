// Signals: sets, actions, siginfo, alternate stacks; and futexes.
#include <signal.h>

#include <bit>
#include <cstring>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/signal/task_signals.h"
#include "emulated_kernel/trace/printer.h"

namespace starry::trace {

void print_signal_set(Printer& p, uint64_t set) {
  // More than two thirds of the signals: strace shows the missing ones.
  constexpr int MANY = 64 * 2 / 3;
  if (std::popcount(set) >= MANY) {
    p.put("~");
    set = ~set;
  }
  p.put("[");
  bool first = true;
  for (int signo = 1; signo <= 64; ++signo) {
    if ((set & sigbit(signo)) == 0) continue;
    if (!first) p.put(" ");
    first = false;
    p.either([&] { p.print("{}", signo); }, [&] { p.put(std::string_view(signal_name(signo)).substr(3)); });
  }
  p.put("]");
}

namespace {

FlagFamily code_family(int signo) {
  switch (signo) {
    case SIGCHLD:
      return FlagFamily::sigchld_code;
    case SIGSEGV:
      return FlagFamily::sigsegv_code;
    case SIGBUS:
      return FlagFamily::sigbus_code;
    case SIGILL:
      return FlagFamily::sigill_code;
    case SIGFPE:
      return FlagFamily::sigfpe_code;
    case SIGTRAP:
      return FlagFamily::sigtrap_code;
    case SIGPOLL:
      return FlagFamily::sigpoll_code;
    case SIGSYS:
      return FlagFamily::sigsys_code;
    default:
      return FlagFamily::siginfo_code;
  }
}

void print_sigval(Printer& p, uint64_t value) {
  p.print(", si_int={}, si_ptr=", static_cast<int32_t>(value));
  p.address(value);
}

void print_sender(Printer& p, const SigInfo& i) { p.print(", si_pid={}, si_uid={}", i.rt.pid, i.rt.uid); }

void print_child(Printer& p, const SigInfo& i) {
  constexpr int CODE_EXITED = 1;
  p.print(", si_pid={}, si_uid={}, si_status=", i.chld.pid, i.chld.uid);
  if (i.code == CODE_EXITED)
    p.print("{}", i.chld.status);
  else
    p.signal(i.chld.status);
  p.put(", si_utime=");
  print_clock_t(p, static_cast<uint64_t>(i.chld.utime));
  p.put(", si_stime=");
  print_clock_t(p, static_cast<uint64_t>(i.chld.stime));
}

void print_bad_call(Printer& p, const SigInfo& i) {
  constexpr uint32_t AUDIT_X86_64 = 0xc000003e;
  p.put(", si_call_addr=");
  p.address(i.sys.call_addr);
  if (const char* name = syscall_spec(i.sys.nr).name)
    p.print(", si_syscall=__NR_{}, si_arch=", name);
  else
    p.print(", si_syscall={}, si_arch=", i.sys.nr);
  if (i.sys.arch == AUDIT_X86_64)
    p.composite(i.sys.arch, [&] { p.put("AUDIT_ARCH_X86_64"); });
  else
    p.number_hex(i.sys.arch);
}

// What another process sent (code <= 0).
void print_sent(Printer& p, const SigInfo& i) {
  constexpr int USER = 0, TIMER = -2, SIGIO_CODE = -5, TKILL = -6;
  switch (i.code) {
    case USER:
    case TKILL:
      print_sender(p, i);
      break;
    case TIMER:
      p.put(", si_timerid=");
      p.number_hex(static_cast<uint32_t>(i.timer.tid));
      p.print(", si_overrun={}", i.timer.overrun);
      print_sigval(p, i.timer.value);
      break;
    case SIGIO_CODE:
      p.print(", si_band={}, si_fd=", i.poll.band);
      p.fd(i.poll.fd);
      break;
    default:
      print_sender(p, i);
      if (i.rt.value != 0) print_sigval(p, i.rt.value);
      break;
  }
}

// What the kernel generated itself, by signal.
void print_generated(Printer& p, const SigInfo& i) {
  constexpr int FIRST_POLL = 1, LAST_POLL = 6;
  switch (i.signo) {
    case SIGCHLD:
      print_child(p, i);
      break;
    case SIGILL:
    case SIGFPE:
    case SIGSEGV:
    case SIGBUS:
    case SIGTRAP:
      p.put(", si_addr=");
      p.address(i.fault.addr);
      break;
    case SIGPOLL:
      if (i.code < FIRST_POLL || i.code > LAST_POLL) break;
      p.print(", si_band={}, si_fd=", i.poll.band);
      p.fd(i.poll.fd);
      break;
    case SIGSYS:
      print_bad_call(p, i);
      break;
    default:
      if (i.rt.pid != 0 || i.rt.uid != 0) print_sender(p, i);
      if (i.rt.value != 0) print_sigval(p, i.rt.value);
      break;
  }
}

}  // namespace

void print_siginfo(Printer& p, const void* siginfo128) {
  SigInfo i;
  std::memcpy(&i, siginfo128, sizeof i);
  if (i.signo == 0) {
    p.put("{}");
    return;
  }
  p.put("{si_signo=");
  p.signal(i.signo);
  p.put(", si_code=");
  const bool general = value_name(FlagFamily::siginfo_code, i.code) != nullptr;
  const FlagFamily family = general ? FlagFamily::siginfo_code : code_family(i.signo);
  if (value_name(family, i.code) != nullptr) {
    p.name(family, static_cast<uint32_t>(i.code));
  } else {
    p.number_hex(static_cast<uint32_t>(i.code));
    p.state.unknown.push_back({static_cast<int>(family), static_cast<uint32_t>(i.code)});
  }
  if (i.err != 0) p.print(", si_errno={}", error_text(i.err).substr(0, error_text(i.err).find(' ')));
  if (i.code <= 0)
    print_sent(p, i);
  else
    print_generated(p, i);
  p.put("}");
}

void format_SIGSET(Printer& p) {
  uint64_t set;
  if (p.fetch(set)) print_signal_set(p, set);
}

void format_SIGSET_ARG(Printer& p) {
  GuestSigsetArg arg;
  if (!p.fetch(arg)) return;
  p.put("{sigmask=");
  uint64_t set;
  if (p.load(arg.set, set)) print_signal_set(p, set);
  p.print(", sigsetsize={}}}", arg.size);
}

void format_SIGINFO(Printer& p) {
  SigInfo i;
  if (p.fetch(i)) print_siginfo(p, &i);
}

void format_SIGACTION(Printer& p) {
  KSigAction a;
  if (!p.fetch(a)) return;
  p.put("{sa_handler=");
  if (a.handler <= 1)
    p.composite(a.handler, [&] { p.put(a.handler == 0 ? "SIG_DFL" : "SIG_IGN"); });
  else
    p.address(a.handler);
  p.put(", sa_mask=");
  print_signal_set(p, a.mask);
  p.put(", sa_flags=");
  p.flags(FlagFamily::sigaction_flags, a.flags);
  constexpr uint64_t RESTORER = 0x04000000;
  if ((a.flags & RESTORER) != 0) {
    p.put(", sa_restorer=");
    p.address(a.restorer);
  }
  p.put("}");
}

void format_STACK_T(Printer& p) {
  GuestStackT s;
  if (!p.fetch(s)) return;
  p.put("{ss_sp=");
  p.address(s.sp);
  p.put(", ss_flags=");
  p.flags(FlagFamily::sigaltstack_flags, static_cast<uint32_t>(s.flags));
  p.print(", ss_size={}}}", s.size);
}

void format_SIGEVENT(Printer& p) {
  GuestSigevent e;
  if (!p.fetch(e)) return;
  constexpr int SIGNAL = 0, NONE = 1, THREAD = 2, THREAD_ID = 4;
  p.put("{");
  if (e.value != 0)
    p.print("sigev_value={{sival_int={}, sival_ptr={:#x}}}, ", static_cast<int32_t>(e.value), e.value);
  if (e.notify == SIGNAL || e.notify == THREAD_ID)
    p.print("sigev_signo={}", signal_name(e.signo));
  else
    p.print("sigev_signo={}", e.signo);
  p.put(", sigev_notify=");
  p.name(FlagFamily::sigev_notify, static_cast<uint32_t>(e.notify));
  if (e.notify == THREAD_ID)
    p.print(", sigev_notify_thread_id={}", e.tid);
  else if (e.notify == THREAD)
    p.print(", sigev_notify_function={:#x}, sigev_notify_attributes={:#x}", e.thread.function,
            e.thread.attribute);
  else if (e.notify != NONE && e.notify != SIGNAL)
    p.put(", ...");
  p.put("}");
}

// futex(2): which arguments there are depends on the operation.
namespace {

enum FutexCommand : uint32_t {
  WAIT,
  WAKE,
  FD_OP,
  REQUEUE,
  CMP_REQUEUE,
  WAKE_OP,
  LOCK_PI,
  UNLOCK_PI,
  TRYLOCK_PI,
  WAIT_BITSET,
  WAKE_BITSET,
  WAIT_REQUEUE_PI,
  CMP_REQUEUE_PI,
  LOCK_PI2,
  FUTEX_COMMANDS,
};
constexpr uint64_t FUTEX_PRIVATE = 128, FUTEX_REALTIME = 256;

uint64_t futex_command(const Printer& p) { return p.arg(1) & ~(FUTEX_PRIVATE | FUTEX_REALTIME); }
bool futex_requeues(uint64_t c) {
  return c == REQUEUE || c == CMP_REQUEUE || c == WAKE_OP || c == CMP_REQUEUE_PI;
}
bool futex_waits(uint64_t c) { return c == WAIT || c == WAIT_BITSET || c == WAIT_REQUEUE_PI; }
bool futex_locks(uint64_t c) { return c == LOCK_PI || c == LOCK_PI2; }
bool futex_unknown(uint64_t c) { return c >= FUTEX_COMMANDS; }

}  // namespace

void format_FUTEX_OP_ARG(Printer& p) {
  const uint64_t op = p.value();
  const bool split = (op & FUTEX_REALTIME) != 0 && !futex_unknown(futex_command(p));
  p.name(FlagFamily::futex_op, split ? op & ~FUTEX_REALTIME : op);
  if (split) p.put("|FUTEX_CLOCK_REALTIME");
}

void format_FUTEX_VAL(Printer& p) {
  uint64_t c = futex_command(p);
  if (futex_locks(c) || c == UNLOCK_PI || c == TRYLOCK_PI)
    p.omit();
  else
    p.print("{}", p.value());
}

void format_FUTEX_TIMEOUT(Printer& p) {
  uint64_t c = futex_command(p);
  if (futex_waits(c) || futex_locks(c))
    format_TIMESPEC(p);
  else if (futex_requeues(c))
    p.print("{}", static_cast<uint32_t>(p.value()));
  else if (futex_unknown(c))
    p.number_hex(p.value());
  else
    p.omit();
}

void format_FUTEX_UADDR2(Printer& p) {
  uint64_t c = futex_command(p);
  if (futex_requeues(c) || c == WAIT_REQUEUE_PI)
    p.address(p.value());
  else if (futex_unknown(c))
    p.number_hex(p.value());
  else
    p.omit();
}

void format_FUTEX_VAL3(Printer& p) {
  uint64_t c = futex_command(p);
  const uint64_t v = p.value();
  if (c == WAIT_BITSET || c == WAKE_BITSET) {
    if (v == UINT32_MAX)
      p.put("FUTEX_BITSET_MATCH_ANY");
    else
      p.number_hex(v);
  } else if (c == CMP_REQUEUE || c == CMP_REQUEUE_PI) {
    p.print("{}", v);
  } else if (c == WAKE_OP) {
    // op << 28 | oparg << 12 | cmp << 24 | cmparg, see futex(2).
    constexpr uint64_t SHIFTED_ARG = 8;
    uint64_t op = v >> 28 & 0xf;
    if ((op & SHIFTED_ARG) != 0) p.put("FUTEX_OP_OPARG_SHIFT<<28|");
    p.name(FlagFamily::futex_wake_op, op & 7);
    p.put("<<28|");
    p.number_hex(v >> 12 & 0xfff);
    p.put("<<12|");
    p.name(FlagFamily::futex_wake_cmp, v >> 24 & 0xf);
    p.put("<<24|");
    p.number_hex(v & 0xfff);
  } else if (futex_unknown(c)) {
    p.number_hex(v);
  } else {
    p.omit();
  }
}

void format_FUTEX_WAITV(Printer& p) {
  GuestFutexWaitv probe;
  uint64_t count = p.arg(1);
  if (count > 0 && !p.fetch(probe)) return;
  p.array(count, [&](uint64_t i) {
    GuestFutexWaitv w;
    if (!p.load(p.value() + i * sizeof w, w)) return false;
    p.put("{val=");
    p.number_hex(w.val);
    p.put(", uaddr=");
    p.address(w.uaddr);
    p.put(", flags=");
    p.flags(FlagFamily::futex_waitv_flags, w.flags);
    if (w.reserved != 0) p.print(", __reserved={:#x}", w.reserved);
    p.put("}");
    return true;
  });
}

}  // namespace starry::trace
