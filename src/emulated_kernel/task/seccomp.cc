#include "emulated_kernel/task/seccomp.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/core_dump.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/task/seccomp_bpf.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr size_t INSTRUCTIONS_MAX = 32768, FILTER_PENALTY = 4;  // MAX_INSNS_PER_PATH
constexpr uint32_t ACTION_FULL = 0xffff0000, DATA = 0x0000ffff;
constexpr uint32_t ERRNO_MAX = 4095;

bool in_use = false;

struct GuestFprog {  // struct sock_fprog
  uint16_t len;
  uint16_t pad[3];
  UserAddr filter;
};

bool is_ancestor(const SeccompFilter* of, const SeccompFilter* a) {
  for (; of != nullptr; of = of->previous.get())
    if (of == a) return true;
  return a == nullptr;
}

// Actions are ordered by how strict they are when taken as signed numbers.
uint32_t ask(const Task& t, const seccomp_data& data) {
  uint32_t strictest = SECCOMP_RET_ALLOW;
  for (const SeccompFilter* f = t.seccomp.get(); f != nullptr; f = f->previous.get()) {
    const uint32_t r = bpf_run(f->program, data);
    if (static_cast<int32_t>(r & ACTION_FULL) < static_cast<int32_t>(strictest & ACTION_FULL)) strictest = r;
  }
  return strictest;
}

SeccompVerdict refuse(SysResult r) { return {.run = false, .result = r}; }
SeccompVerdict nothing_more() { return {.run = false, .silent = true}; }

SigInfo sigsys(const Task& t, const seccomp_data& data, uint32_t reason) {
  constexpr int SYS_SECCOMP_CODE = 1;
  SigInfo info;
  info.signo = SIGSYS;
  info.code = SYS_SECCOMP_CODE;
  info.err = static_cast<int32_t>(reason);
  info.sys.call_addr = data.instruction_pointer;
  info.sys.nr = static_cast<int32_t>(t.call.nr);
  info.sys.arch = AUDIT_ARCH_X86_64;
  return info;
}

// SECCOMP_RET_KILL_THREAD: the last thread takes the process with it, as by SIGSYS (`cause`).
SeccompVerdict end_thread(Task& t, int signo, const SigInfo* cause = nullptr) {
  const ThreadGroup& g = *t.group;
  const bool last =
      std::none_of(g.threads.begin(), g.threads.end(), [&](const Task* x) { return x != &t && !x->exiting; });
  if (last) exit_group(t, signo | (cause != nullptr && core_dump(t, *cause) ? WCOREFLAG : 0));
  exit_task(t, signo);
  return nothing_more();
}

SeccompVerdict strict_check(Task& t) {
  switch (t.call.nr) {
    case SYS_read:
    case SYS_write:
    case SYS_exit:
    case SYS_rt_sigreturn:
      return {};
    default:
      return end_thread(t, SIGKILL);
  }
}

// Every thread must be on the caller's chain, not beside it. 0 or the tid that is not.
pid_t who_cannot_follow(const Task& t) {
  for (const Task* x : t.group->threads)
    if (x != &t && !x->exited && (x->seccomp_strict || !is_ancestor(t.seccomp.get(), x->seccomp.get())))
      return x->own_tid;
  return 0;
}

}  // namespace

SeccompVerdict seccomp_check(Task& t) {
  if (t.seccomp_strict) return strict_check(t);
  seccomp_data data{};
  data.nr = static_cast<int>(t.call.nr);
  data.arch = AUDIT_ARCH_X86_64;
  data.instruction_pointer = t.regs().rip;
  std::copy(std::begin(t.call.args), std::end(t.call.args), std::begin(data.args));
  const uint32_t answer = ask(t, data);
  const uint32_t value = answer & DATA;
  switch (answer & ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
      return {};
    case SECCOMP_RET_ERRNO:
      if (value == 0) return refuse(0);
      return refuse(Error{static_cast<int>(std::min(value, ERRNO_MAX))});
    case SECCOMP_RET_TRAP:
      force_signal(t, sigsys(t, data, value));
      return nothing_more();
    case SECCOMP_RET_TRACE:       // without a tracer that asked for it
    case SECCOMP_RET_USER_NOTIF:  // without a listener
      return refuse(Error{ENOSYS});
    case SECCOMP_RET_KILL_THREAD: {
      const SigInfo cause = sigsys(t, data, value);
      return end_thread(t, SIGSYS, &cause);
    }
    default:  // SECCOMP_RET_KILL_PROCESS, and what this kernel does not know
      exit_group(t, SIGSYS | (core_dump(t, sigsys(t, data, value)) ? WCOREFLAG : 0));
      return nothing_more();
  }
}

bool seccomp_in_use() { return in_use; }

SysResult seccomp_set_strict(Task& t) {
  if (t.seccomp) return Error{EINVAL};
  in_use = true;
  t.seccomp_strict = true;
  return 0;
}

SysResult seccomp_set_filter(Task& t, unsigned flags, UserAddr fprog) {
  constexpr unsigned KNOWN = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |
                             SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_NEW_LISTENER |
                             SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
  if ((flags & ~KNOWN) != 0) return Error{EINVAL};
  const bool tsync = (flags & SECCOMP_FILTER_FLAG_TSYNC) != 0,
             esrch = (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH) != 0;
  if ((flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0) {
    if (tsync && !esrch) return Error{EINVAL};
    klog(LogLevel::warn, "seccomp: SECCOMP_FILTER_FLAG_NEW_LISTENER is not implemented");
    return Error{EINVAL};
  }
  const auto fp = TRY(t.mem().get(UserPtr<GuestFprog>{fprog}));
  if (fp.len == 0 || fp.len > BPF_MAXINSNS) return Error{EINVAL};
  if (!t.no_new_privs && !t.cred->capable_here(CAP_SYS_ADMIN)) return Error{EACCES};
  if (fp.filter == 0) return Error{EINVAL};
  auto f = std::make_shared<SeccompFilter>();
  f->program = TRY(t.mem().get_array(UserPtr<sock_filter>{fp.filter}, fp.len));
  TRY(bpf_check(f->program));
  if (t.seccomp_strict) return Error{EINVAL};
  f->instructions = f->program.size() + (t.seccomp ? t.seccomp->instructions + FILTER_PENALTY : 0);
  if (f->instructions > INSTRUCTIONS_MAX) return Error{ENOMEM};
  if (tsync) {
    if (const pid_t stuck = who_cannot_follow(t); stuck != 0)
      return esrch ? SysResult(Error{ESRCH}) : SysResult(stuck);
  }
  in_use = true;
  f->previous = t.seccomp;
  t.seccomp = f;
  if (tsync) {
    for (Task* x : t.group->threads) {
      if (x->exited) continue;
      x->seccomp = f;
      x->no_new_privs |= t.no_new_privs;
    }
  }
  return 0;
}

int seccomp_mode(const Task& t) {
  return t.seccomp_strict ? SECCOMP_MODE_STRICT : t.seccomp ? SECCOMP_MODE_FILTER : SECCOMP_MODE_DISABLED;
}

int seccomp_filter_count(const Task& t) {
  int n = 0;
  for (const SeccompFilter* f = t.seccomp.get(); f != nullptr; f = f->previous.get()) ++n;
  return n;
}

}  // namespace starry
