// ptrace(2): the requests. What they do is in task/ptrace*.
#include <elf.h>
#include <sys/user.h>

#include <algorithm>
#include <csignal>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/secretmem.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/ptrace.h"

namespace starry {

namespace {

constexpr uint32_t OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                             PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE |
                             PTRACE_O_TRACEEXIT | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;

bool valid_resume_signal(uint64_t data) { return data <= 64; }

Result<void> set_options(Task& tracee, uint64_t data) {
  if ((data & ~static_cast<uint64_t>(OPTIONS)) != 0) return Error{EINVAL};
  tracee.ptrace->options = static_cast<uint32_t>(data);
  return {};
}

// Words of struct user: the registers; debug registers read as 0 and cannot be set.
Result<uint64_t> peek_user(Task& tracee, uint64_t addr) {
  if (addr % 8 != 0 || addr >= sizeof(user)) return Error{EIO};
  return addr / 8 < USER_REGS ? ptrace_get_regs(tracee)[addr / 8] : 0;
}

Result<void> poke_user(Task& tracee, uint64_t addr, uint64_t value) {
  if (addr % 8 != 0 || addr >= sizeof(user)) return Error{EIO};
  if (addr / 8 >= USER_REGS) {
    if (addr >= offsetof(user, u_debugreg) && value == 0) return {};  // no breakpoint there: as it is
    return Error{EIO};
  }
  UserRegs r = ptrace_get_regs(tracee);
  r[addr / 8] = value;
  return ptrace_set_regs(tracee, r);
}

Result<std::vector<uint8_t>> fp_state(Task& tracee) {
  if (!ptrace_fp().get) return Error{EIO};
  return ptrace_fp().get(tracee);
}

constexpr size_t FXSAVE_SIZE = sizeof(user_fpregs_struct);

Result<void> set_fp_state(Task& t, Task& tracee, UserAddr at, uint64_t size) {
  if (!ptrace_fp().set) return Error{EIO};
  const auto bytes = TRY(t.mem().get_array(UserPtr<uint8_t>{at}, size));
  return ptrace_fp().set(tracee, bytes);
}

// PTRACE_GETREGSET: as much as the caller's buffer takes; its length is stored back.
SysResult get_regset(Task& t, Task& tracee, uint64_t type, UserAddr iov_at) {
  auto iov = TRY(t.mem().get(UserPtr<GuestIovec>{iov_at}));
  std::vector<uint8_t> bytes;
  if (type == NT_PRSTATUS) {
    const UserRegs r = ptrace_get_regs(tracee);
    bytes.assign(reinterpret_cast<const uint8_t*>(r.data()),
                 reinterpret_cast<const uint8_t*>(r.data() + r.size()));
  } else if (type == NT_PRFPREG || type == NT_X86_XSTATE) {
    bytes = TRY(fp_state(tracee));
    if (type == NT_PRFPREG) bytes.resize(FXSAVE_SIZE);
  } else {
    return Error{EINVAL};
  }
  if (iov.len % sizeof(uint64_t) != 0) return Error{EINVAL};
  iov.len = std::min<uint64_t>(iov.len, bytes.size());
  TRY(t.mem().write(iov.base, bytes.data(), iov.len));
  TRY(t.mem().put(UserPtr<GuestIovec>{iov_at}, iov));
  return 0;
}

SysResult set_regset(Task& t, Task& tracee, uint64_t type, UserAddr iov_at) {
  const auto iov = TRY(t.mem().get(UserPtr<GuestIovec>{iov_at}));
  if ((type != NT_PRSTATUS && type != NT_PRFPREG && type != NT_X86_XSTATE) || iov.len % sizeof(uint64_t) != 0)
    return Error{EINVAL};
  if (type != NT_PRSTATUS) {
    const uint64_t whole = type == NT_PRFPREG ? FXSAVE_SIZE : TRY(fp_state(tracee)).size();
    if (type == NT_PRFPREG ? iov.len < whole : iov.len != whole)
      return Error{type == NT_PRFPREG ? EINVAL : EFAULT};
    TRY(set_fp_state(t, tracee, iov.base, whole));
    return 0;
  }
  UserRegs r = ptrace_get_regs(tracee);
  TRY(t.mem().read(iov.base, r.data(), std::min<uint64_t>(iov.len, sizeof r)));
  TRY(ptrace_set_regs(tracee, r));
  return 0;
}

// struct ptrace_syscall_info. The value is its size, whatever fits.
SysResult syscall_info(Task& t, Task& tracee, uint64_t size, UserAddr at) {
  const PtraceState& p = *tracee.ptrace;
  __ptrace_syscall_info info{};
  info.op = static_cast<uint8_t>(p.where);
  info.arch = 0xc000003e;  // AUDIT_ARCH_X86_64
  info.instruction_pointer = tracee.regs().rip;
  info.stack_pointer = tracee.regs().rsp;
  size_t full = offsetof(__ptrace_syscall_info, entry);
  if (p.where == PtraceState::Where::syscall_entry) {
    const GuestRegs& r = tracee.regs();
    info.entry.nr = static_cast<uint64_t>(p.orig_rax);
    const uint64_t args[6] = {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9};
    std::copy(std::begin(args), std::end(args), std::begin(info.entry.args));
    full += sizeof info.entry;
  } else if (p.where == PtraceState::Where::syscall_exit) {
    info.exit.rval = static_cast<int64_t>(tracee.regs().rax);
    info.exit.is_error = info.exit.rval < 0 && info.exit.rval > -4096;
    full = offsetof(__ptrace_syscall_info, exit.is_error) + sizeof info.exit.is_error;
  }
  TRY(t.mem().write(at, &info, std::min<size_t>(size, full)));
  return static_cast<int64_t>(full);
}

SysResult signal_info(Task& t, Task& tracee, bool set, UserAddr at) {
  PtraceState& p = *tracee.ptrace;
  if (!p.has_info) return Error{EINVAL};
  if (set)
    p.info = TRY(t.mem().get(UserPtr<SigInfo>{at}));
  else
    TRY(t.mem().put(UserPtr<SigInfo>{at}, p.info));
  return 0;
}

// PTRACE_PEEKSIGINFO: a stretch of the queue of the thread, or of its process.
SysResult peek_signals(Task& t, Task& tracee, UserAddr args, UserAddr to) {
  const auto a = TRY(t.mem().get(UserPtr<__ptrace_peeksiginfo_args>{args}));
  if ((a.flags & ~static_cast<uint32_t>(PTRACE_PEEKSIGINFO_SHARED)) != 0 || a.nr < 0) return Error{EINVAL};
  const bool shared = (a.flags & PTRACE_PEEKSIGINFO_SHARED) != 0;
  const std::deque<SigInfo>& queue = (shared ? tracee.group->signals.pending : tracee.sig.pending).queue;
  int64_t done = 0;
  for (uint64_t i = a.off; i < queue.size() && done < a.nr; ++i, ++done) {
    const Result<void> r =
        t.mem().put(UserPtr<SigInfo>{to + static_cast<uint64_t>(done) * sizeof(SigInfo)}, queue[i]);
    if (!r.ok()) return done != 0 ? SysResult(done) : r.error();
  }
  return done;
}

SysResult signal_mask(Task& t, Task& tracee, bool set, uint64_t size, UserAddr at) {
  if (size != sizeof(SigSet)) return Error{EINVAL};
  if (set)
    set_blocked(tracee, TRY(t.mem().get(UserPtr<SigSet>{at})));
  else
    TRY(t.mem().put(UserPtr<SigSet>{at}, tracee.sig.blocked));
  return 0;
}

SysResult listen(Task& tracee) {
  PtraceState& p = *tracee.ptrace;
  if (!p.seized || p.status >> 8 != PTRACE_EVENT_STOP) return Error{EIO};
  p.listening = true;
  p.unwaited = false;
  if (!tracee.group->stopping) ptrace_stop_ended(tracee);  // it has ended already
  return 0;
}

// Requests that need the tracee to be stopped.
SysResult stopped_request(Task& t, Task& tracee, int64_t request, uint64_t addr, uint64_t data) {
  using Run = PtraceState::Run;
  switch (request) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA: {
      uint64_t word = 0;
      if (tracee.mm->find(addr) == nullptr || tracee.mm->find(addr + 7) == nullptr ||
          holds_secrets(*tracee.mm, addr, sizeof word))
        return Error{EIO};
      auto n = tracee.mm->space->peek(addr, &word, sizeof word);
      if (!n.ok() || *n != sizeof word) return Error{EIO};
      TRY(t.mem().put(UserPtr<uint64_t>{data}, word));
      return 0;
    }
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
      TRY(ptrace_poke(tracee, addr, &data, sizeof data));
      return 0;
    case PTRACE_PEEKUSER:
      TRY(t.mem().put(UserPtr<uint64_t>{data}, TRY(peek_user(tracee, addr))));
      return 0;
    case PTRACE_POKEUSER:
      TRY(poke_user(tracee, addr, data));
      return 0;
    case PTRACE_GETREGS:
      TRY(t.mem().put(UserPtr<UserRegs>{data}, ptrace_get_regs(tracee)));
      return 0;
    case PTRACE_SETREGS:
      TRY(ptrace_set_regs(tracee, TRY(t.mem().get(UserPtr<UserRegs>{data}))));
      return 0;
    case PTRACE_GETFPREGS: {
      auto fp = TRY(fp_state(tracee));
      fp.resize(FXSAVE_SIZE);
      TRY(t.mem().write(data, fp.data(), fp.size()));
      return 0;
    }
    case PTRACE_SETFPREGS:
      TRY(set_fp_state(t, tracee, data, FXSAVE_SIZE));
      return 0;
    case PTRACE_GETREGSET:
      return get_regset(t, tracee, addr, data);
    case PTRACE_SETREGSET:
      return set_regset(t, tracee, addr, data);
    case PTRACE_SETOPTIONS:
      TRY(set_options(tracee, data));
      return 0;
    case PTRACE_GETEVENTMSG:
      TRY(t.mem().put(UserPtr<uint64_t>{data}, tracee.ptrace->message));
      return 0;
    case PTRACE_GETSIGINFO:
    case PTRACE_SETSIGINFO:
      return signal_info(t, tracee, request == PTRACE_SETSIGINFO, data);
    case PTRACE_PEEKSIGINFO:
      return peek_signals(t, tracee, addr, data);
    case PTRACE_GETSIGMASK:
    case PTRACE_SETSIGMASK:
      return signal_mask(t, tracee, request == PTRACE_SETSIGMASK, addr, data);
    case PTRACE_GET_SYSCALL_INFO:
      return syscall_info(t, tracee, addr, data);
    case PTRACE_LISTEN:
      return listen(tracee);
    case PTRACE_CONT:
    case PTRACE_SYSCALL:
    case PTRACE_SINGLESTEP:
      if (!valid_resume_signal(data)) return Error{EIO};
      ptrace_resume(tracee,
                    request == PTRACE_CONT      ? Run::cont
                    : request == PTRACE_SYSCALL ? Run::syscall
                                                : Run::step,
                    static_cast<int>(data));
      return 0;
    case PTRACE_DETACH:
      if (!valid_resume_signal(data)) return Error{EIO};
      ptrace_detach(tracee, static_cast<int>(data));
      return 0;
    default:
      return Error{EIO};
  }
}

}  // namespace

SysResult sys_ptrace(Task& t, int64_t request, int64_t pid, uint64_t addr, uint64_t data) {
  if (request == PTRACE_TRACEME) {
    TRY(ptrace_traceme(t));
    return 0;
  }
  Task* tracee = find_task(t, static_cast<pid_t>(pid));
  if (tracee == nullptr) return Error{ESRCH};
  const Ref<Task> keep(tracee);
  if (request == PTRACE_ATTACH || request == PTRACE_SEIZE) {
    const bool seize = request == PTRACE_SEIZE;
    if (seize && (addr != 0 || (data & ~static_cast<uint64_t>(OPTIONS)) != 0)) return Error{EIO};
    TRY(ptrace_attach(t, *tracee, seize, seize ? static_cast<uint32_t>(data) : 0));
    return 0;
  }
  if (!tracee->ptrace || tracee->ptrace->tracer != &t) return Error{ESRCH};
  if (request == PTRACE_KILL) {
    (void)send_signal(*tracee, siginfo_kernel(SIGKILL));
    return 0;
  }
  if (request == PTRACE_INTERRUPT) {
    if (!tracee->ptrace->seized) return Error{EIO};
    tracee->ptrace->interrupt = true;
    if (!tracee->ptrace->stopped) notify_signal(*tracee);
    return 0;
  }
  if (!ptrace_stands(*tracee) || tracee->ptrace->listening) return Error{ESRCH};
  return stopped_request(t, *tracee, request, addr, data);
}

}  // namespace starry
