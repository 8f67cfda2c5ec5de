// prctl(2), arch_prctl(2), personality(2). Which unused arguments must be zero differs from option to
// option and follows kernel/sys.c.
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>

#include <algorithm>
#include <cctype>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/log.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/seccomp.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr uint64_t ANON_NAME_MAX = 80;  // with the NUL

struct Args {
  uint64_t a2, a3, a4, a5;
};

bool known_cap(uint64_t cap) { return cap <= CAP_LAST_CAP_NR; }

SysResult set_securebits(Task& t, uint64_t bits) {
  const Cred& old = *t.cred;
  const uint64_t locks = old.securebits & SECURE_ALL_LOCKS;
  const bool changes_locked = ((locks >> 1) & (old.securebits ^ bits)) != 0;
  const bool unlocks = (locks & ~bits) != 0;
  const bool unknown = (bits & ~static_cast<uint64_t>(SECURE_ALL_LOCKS | SECURE_ALL_BITS)) != 0;
  if (changes_locked || unlocks || unknown || !old.capable_here(CAP_SETPCAP)) return Error{EPERM};
  Ref<Cred> next = old.copy();
  next->securebits = static_cast<uint32_t>(bits);
  commit_cred(t, next);
  return 0;
}

SysResult set_keep_caps(Task& t, uint64_t on) {
  if (on > 1) return Error{EINVAL};
  if ((t.cred->securebits & SECBIT_KEEP_CAPS_LOCKED) != 0) return Error{EPERM};
  Ref<Cred> next = t.cred->copy();
  const auto bit = static_cast<uint32_t>(SECBIT_KEEP_CAPS);
  next->securebits = on != 0 ? next->securebits | bit : next->securebits & ~bit;
  commit_cred(t, next);
  return 0;
}

SysResult drop_bounding(Task& t, uint64_t cap) {
  if (!t.cred->capable_here(CAP_SETPCAP)) return Error{EPERM};
  if (!known_cap(cap)) return Error{EINVAL};
  Ref<Cred> next = t.cred->copy();
  next->cap_bounding &= ~(1ULL << cap);
  commit_cred(t, next);
  return 0;
}

SysResult cap_ambient(Task& t, const Args& a) {
  const Cred& old = *t.cred;
  if (a.a2 == PR_CAP_AMBIENT_CLEAR_ALL) {
    if ((a.a3 | a.a4 | a.a5) != 0) return Error{EINVAL};
    Ref<Cred> next = old.copy();
    next->cap_ambient = 0;
    commit_cred(t, next);
    return 0;
  }
  if (!known_cap(a.a3) || (a.a4 | a.a5) != 0) return Error{EINVAL};
  const uint64_t bit = 1ULL << a.a3;
  if (a.a2 == PR_CAP_AMBIENT_IS_SET) return (old.cap_ambient & bit) != 0 ? 1 : 0;
  if (a.a2 != PR_CAP_AMBIENT_RAISE && a.a2 != PR_CAP_AMBIENT_LOWER) return Error{EINVAL};
  const bool raise = a.a2 == PR_CAP_AMBIENT_RAISE;
  if (raise && ((old.cap_permitted & old.cap_inheritable & bit) == 0 ||
                (old.securebits & SECBIT_NO_CAP_AMBIENT_RAISE) != 0))
    return Error{EPERM};
  Ref<Cred> next = old.copy();
  next->cap_ambient = raise ? next->cap_ambient | bit : next->cap_ambient & ~bit;
  commit_cred(t, next);
  return 0;
}

SysResult set_name(Task& t, UserAddr name) {
  // strncpy_from_user(): at most 15 bytes, up to the NUL.
  std::array<char, 16> comm{};
  for (size_t i = 0; i + 1 < comm.size(); i++) {
    comm[i] = TRY(t.mem().get(UserPtr<char>{name + i}));
    if (comm[i] == '\0') break;
  }
  t.comm = comm;
  return 0;
}

SysResult set_vma(Task& t, const Args& a) {
  if (a.a2 != PR_SET_VMA_ANON_NAME) return Error{EINVAL};
  std::string name;
  if (a.a5 != 0) {
    name = TRY(t.mem().read_cstr(a.a5, ANON_NAME_MAX, EINVAL));
    constexpr std::string_view FORBIDDEN = "\\`$[]";
    for (const char c : name) {
      if (c < 0x20 || c > 0x7e || FORBIDDEN.find(c) != FORBIDDEN.npos) return Error{EINVAL};
    }
  }
  TRY(t.mm->set_anon_name(a.a3, a.a4, name));
  return 0;
}

SysResult mce_kill(Task& t, const Args& a) {
  if ((a.a4 | a.a5) != 0) return Error{EINVAL};
  if (a.a2 == PR_MCE_KILL_CLEAR) {
    if (a.a3 != 0) return Error{EINVAL};
    t.group->prctl.mce_kill = PR_MCE_KILL_DEFAULT;
    return 0;
  }
  if (a.a2 != PR_MCE_KILL_SET) return Error{EINVAL};
  int& policy = t.group->prctl.mce_kill;
  if (a.a3 > PR_MCE_KILL_DEFAULT) {
    // Linux notes that the process has a policy of its own before it looks at which.
    if (policy == PR_MCE_KILL_DEFAULT) policy = PR_MCE_KILL_LATE;
    return Error{EINVAL};
  }
  policy = static_cast<int>(a.a3);
  return 0;
}

// Speculation is the host's affair: "vulnerable" and not to be changed.
SysResult speculation(const Args& a, bool set) {
  if ((set ? a.a4 | a.a5 : a.a3 | a.a4 | a.a5) != 0) return Error{EINVAL};
  if (a.a2 > PR_SPEC_L1D_FLUSH) return Error{ENODEV};
  if (set) return Error{ENXIO};
  return a.a2 == PR_SPEC_L1D_FLUSH ? PR_SPEC_FORCE_DISABLE : PR_SPEC_ENABLE;
}

SysResult set_tsc(const Args& a) {
  if (a.a2 == PR_TSC_ENABLE) return 0;
  if (a.a2 == PR_TSC_SIGSEGV)
    klog(LogLevel::warn, "prctl(PR_SET_TSC, PR_TSC_SIGSEGV): not implemented, EINVAL");
  return Error{EINVAL};
}

SysResult syscall_user_dispatch(const Args& a) {
  if (a.a2 == PR_SYS_DISPATCH_OFF && (a.a3 | a.a4 | a.a5) == 0) return 0;
  if (a.a2 == PR_SYS_DISPATCH_ON)
    klog(LogLevel::warn, "prctl(PR_SET_SYSCALL_USER_DISPATCH): not implemented, EINVAL");
  return Error{EINVAL};
}

// Options about capabilities and secure bits (cap_task_prctl()).
SysResult security_option(Task& t, int option, const Args& a) {
  switch (option) {
    case PR_CAPBSET_READ:
      if (!known_cap(a.a2)) return Error{EINVAL};
      return static_cast<int64_t>((t.cred->cap_bounding >> a.a2) & 1);
    case PR_CAPBSET_DROP:
      return drop_bounding(t, a.a2);
    case PR_GET_SECUREBITS:
      return t.cred->securebits;
    case PR_SET_SECUREBITS:
      return set_securebits(t, a.a2);
    case PR_GET_KEEPCAPS:
      return (t.cred->securebits & SECBIT_KEEP_CAPS) != 0 ? 1 : 0;
    case PR_SET_KEEPCAPS:
      return set_keep_caps(t, a.a2);
    default:
      return cap_ambient(t, a);
  }
}

}  // namespace

SysResult sys_prctl(Task& t, int option, uint64_t arg2, uint64_t arg3, uint64_t arg4, uint64_t arg5) {
  const Args a{arg2, arg3, arg4, arg5};
  ThreadGroup& g = *t.group;
  const auto put_int = [&](int value) -> SysResult {
    TRY(t.mem().put(UserPtr<int>{arg2}, value));
    return 0;
  };
  switch (option) {
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
    case PR_GET_SECUREBITS:
    case PR_SET_SECUREBITS:
    case PR_GET_KEEPCAPS:
    case PR_SET_KEEPCAPS:
    case PR_CAP_AMBIENT:
      return security_option(t, option, a);

    case PR_SET_PDEATHSIG:
      if (arg2 > 64) return Error{EINVAL};
      g.pdeath_signal = static_cast<int>(arg2);
      return 0;
    case PR_GET_PDEATHSIG:
      return put_int(g.pdeath_signal);
    case PR_SET_DUMPABLE:
      if (arg2 > 1) return Error{EINVAL};
      g.dumpable = arg2 != 0;
      return 0;
    case PR_GET_DUMPABLE:
      return g.dumpable ? 1 : 0;
    case PR_SET_CHILD_SUBREAPER:
      g.child_subreaper = arg2 != 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      return put_int(g.child_subreaper ? 1 : 0);
    case PR_SET_NO_NEW_PRIVS:
      if (arg2 != 1 || (arg3 | arg4 | arg5) != 0) return Error{EINVAL};
      t.no_new_privs = true;
      return 0;
    case PR_GET_NO_NEW_PRIVS:
      if ((arg2 | arg3 | arg4 | arg5) != 0) return Error{EINVAL};
      return t.no_new_privs ? 1 : 0;

    case PR_SET_NAME:
      return set_name(t, arg2);
    case PR_GET_NAME:
      TRY(t.mem().write(arg2, t.comm.data(), t.comm.size()));
      return 0;
    case PR_SET_TIMERSLACK:
      t.timer_slack_ns = static_cast<int64_t>(arg2) <= 0 ? t.default_timer_slack_ns : arg2;
      return 0;
    case PR_GET_TIMERSLACK:
      return static_cast<int64_t>(t.timer_slack_ns);
    case PR_GET_TIMING:
      return PR_TIMING_STATISTICAL;
    case PR_SET_TIMING:
      return arg2 == PR_TIMING_STATISTICAL ? SysResult(0) : SysResult(Error{EINVAL});
    case PR_GET_TSC:
      return put_int(PR_TSC_ENABLE);
    case PR_SET_TSC:
      return set_tsc(a);
    case PR_GET_TID_ADDRESS:
      TRY(t.mem().put(UserPtr<uint64_t>{arg2}, t.clear_child_tid));
      return 0;

    case PR_SET_VMA:
      return set_vma(t, a);
    case PR_SET_THP_DISABLE:
      if ((arg3 | arg4 | arg5) != 0) return Error{EINVAL};
      g.prctl.thp_disabled = arg2 != 0;
      return 0;
    case PR_GET_THP_DISABLE:
      if ((arg2 | arg3 | arg4 | arg5) != 0) return Error{EINVAL};
      return g.prctl.thp_disabled ? 1 : 0;
    case PR_MCE_KILL:
      return mce_kill(t, a);
    case PR_MCE_KILL_GET:
      if ((arg2 | arg3 | arg4 | arg5) != 0) return Error{EINVAL};
      return g.prctl.mce_kill;
    case PR_SET_MM:
      if (arg5 != 0 ||
          (arg4 != 0 && arg2 != PR_SET_MM_AUXV && arg2 != PR_SET_MM_MAP && arg2 != PR_SET_MM_MAP_SIZE))
        return Error{EINVAL};
      if (!t.cred->capable(CAP_SYS_RESOURCE)) return Error{EPERM};
      klog(LogLevel::warn, "prctl(PR_SET_MM): not implemented, EINVAL");
      return Error{EINVAL};
    case PR_SET_IO_FLUSHER:
      if (!t.cred->capable(CAP_SYS_RESOURCE)) return Error{EPERM};
      if (arg2 > 1 || (arg3 | arg4 | arg5) != 0) return Error{EINVAL};
      g.prctl.io_flusher = arg2 != 0;
      return 0;
    case PR_GET_IO_FLUSHER:
      if (!t.cred->capable(CAP_SYS_RESOURCE)) return Error{EPERM};
      if ((arg2 | arg3 | arg4 | arg5) != 0) return Error{EINVAL};
      return g.prctl.io_flusher ? 1 : 0;

    case PR_GET_SECCOMP:
      return seccomp_mode(t);
    case PR_SET_SECCOMP:
      if (arg2 == SECCOMP_MODE_STRICT) return seccomp_set_strict(t);
      if (arg2 == SECCOMP_MODE_FILTER) return seccomp_set_filter(t, 0, arg3);
      return Error{EINVAL};
    case PR_GET_SPECULATION_CTRL:
      return speculation(a, false);
    case PR_SET_SPECULATION_CTRL:
      return speculation(a, true);
    case PR_SET_SYSCALL_USER_DISPATCH:
      return syscall_user_dispatch(a);
    // There are no performance events to switch.
    case PR_TASK_PERF_EVENTS_ENABLE:
    case PR_TASK_PERF_EVENTS_DISABLE:
      return 0;
    // Everything else does not exist on x86-64, or not in this kernel version (PR_SET_PTRACER is
    // Yama's, which is not configured).
    default:
      return Error{EINVAL};
  }
}

// No process has a local descriptor table: segments of its own would have to be the host's.
SysResult sys_modify_ldt(Task& t, int func, UserPtr<void> ptr, unsigned long bytecount) {
  constexpr unsigned long DEFAULT_SIZE = 128;  // of the table that a process begins with, five empty entries
  // Linux returns an unsigned int: its errors are large numbers.
  const auto failed = [](int error) { return static_cast<int64_t>(static_cast<uint32_t>(-error)); };
  switch (func) {
    case 0:
      return 0;
    case 2: {
      const uint8_t zeros[DEFAULT_SIZE] = {};
      bytecount = std::min(bytecount, DEFAULT_SIZE);
      if (!t.mem().write(ptr.addr, zeros, bytecount).ok()) return failed(EFAULT);
      return static_cast<int64_t>(bytecount);
    }
    case 1:
    case 0x11: {
      user_desc d;
      if (bytecount != sizeof d) return failed(EINVAL);
      if (!t.mem().read(ptr.addr, &d, sizeof d).ok()) return failed(EFAULT);
      if (d.entry_number >= LDT_ENTRIES) return failed(EINVAL);
      if (d.contents == 3 && (func == 1 || d.seg_not_present == 0)) return failed(EINVAL);
      klog(LogLevel::warn, "modify_ldt: setting an entry is not implemented (ENOSYS)");
      return Error{ENOSYS};
    }
    default:
      return failed(ENOSYS);
  }
}

SysResult sys_arch_prctl(Task& t, int option, uint64_t addr) {
  switch (option) {
    case ARCH_SET_FS:
      if (addr >= GUEST_TASK_SIZE) return Error{EPERM};
      t.regs().fs_base = addr;
      return 0;
    case ARCH_GET_FS:
      TRY(t.mem().put(UserPtr<uint64_t>{addr}, t.regs().fs_base));
      return 0;
    case ARCH_SET_GS:
      // The register belongs to the stub in the guest's address space.
      klog(LogLevel::warn, "arch_prctl(ARCH_SET_GS): not implemented, EPERM");
      return Error{EPERM};
    case ARCH_GET_GS:
      TRY(t.mem().put(UserPtr<uint64_t>{addr}, uint64_t{0}));
      return 0;
    case ARCH_GET_CPUID:
      return 1;
    case ARCH_SET_CPUID:
      return Error{ENODEV};
    default:
      return Error{EINVAL};
  }
}

SysResult sys_personality(Task& t, unsigned persona) {
  constexpr unsigned QUERY = 0xffffffff;
  const uint32_t before = t.group->personality;
  if (persona != QUERY) t.group->personality = persona;
  return before;
}

}  // namespace starry
