// membarrier(2). The private barriers are executed by the host: all threads of a guest process are
// threads of one host process, so the stub's own membarrier(2) reaches exactly those that run. Only
// the RSEQ kind is the emulated kernel's business, because the critical sections are.
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/rseq.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr int GET_REGISTRATIONS = 1 << 9;  // Linux 6.3
constexpr unsigned FLAG_CPU = 1;           // MEMBARRIER_CMD_FLAG_CPU
constexpr int ALL_COMMANDS = (1 << 10) - 1;

SysResult host_barrier(Task& t, int command) {
  HostOp op;
  op.nr = SYS_membarrier;
  op.args[0] = static_cast<uint64_t>(command);
  TRY(t.host->run_ops({&op, 1}));
  return 0;
}

// A command needs its registration, which is the next bit.
bool is_registered(const Task& t, int command) { return (t.mm->membarrier_registered & (command << 1)) != 0; }

// The host must know of the intent, too: it refuses private barriers of the unregistered.
SysResult register_intent(Task& t, int command) {
  if ((t.mm->membarrier_registered & command) != 0) return 0;
  if (command != MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ) TRY(host_barrier(t, command));
  t.mm->membarrier_registered |= command;
  return 0;
}

}  // namespace

SysResult sys_membarrier(Task& t, int cmd, unsigned flags, int cpu_id) {
  const bool rseq = cmd == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ;
  if ((flags & ~(rseq ? FLAG_CPU : 0U)) != 0) return Error{EINVAL};
  if ((flags & FLAG_CPU) == 0) cpu_id = -1;
  switch (cmd) {
    case MEMBARRIER_CMD_QUERY:
      return ALL_COMMANDS;
    case GET_REGISTRATIONS:
      return t.mm->membarrier_registered;
    case MEMBARRIER_CMD_GLOBAL:
    case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
      return host_barrier(t, cmd);
    case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
      return register_intent(t, cmd);
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
      if (!is_registered(t, cmd)) return Error{EPERM};
      return host_barrier(t, cmd);
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
      if (!is_registered(t, cmd)) return Error{EPERM};
      if ((flags & FLAG_CPU) != 0 && (cpu_id < 0 || cpu_id >= scheduler().cpu_count())) return 0;
      TRY(rseq_fence(t, cpu_id));
      return 0;
    default:
      return Error{EINVAL};
  }
}

}  // namespace starry
