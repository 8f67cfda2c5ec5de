#include "emulated_kernel/entry/restart.h"

#include <sys/syscall.h>

#include <csignal>

#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr uint64_t SYSCALL_INSN_SIZE = 2;

bool restarts(int code, const KSigAction* handler) {
  if (handler == nullptr || code == ERESTARTNOINTR) return true;
  return code == ERESTARTSYS && (handler->flags & SA_RESTART) != 0;
}

}  // namespace

void resolve_restart(Task& t, int restart, const KSigAction* handler) {
  if (restart == 0) return;
  if (handler != nullptr) t.restart_block = nullptr;  // from now on restart_syscall(2) is EINTR
  GuestRegs& r = t.regs();
  if (!restarts(restart, handler)) {
    r.rax = static_cast<uint64_t>(-EINTR);
    return;
  }
  r.rax = static_cast<uint64_t>(restart == ERESTART_RESTARTBLOCK ? SYS_restart_syscall : t.call.nr);
  r.rip -= SYSCALL_INSN_SIZE;
}

}  // namespace starry
