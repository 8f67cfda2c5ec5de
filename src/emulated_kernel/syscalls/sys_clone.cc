// fork(2), vfork(2), clone(2), clone3(2), set_tid_address(2).
#include <linux/sched.h>

#include <algorithm>
#include <csignal>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/log.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/task/clone.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr size_t CLONE_ARGS_SIZE_V0 = 64, MAX_PID_NS_LEVEL = 32;
constexpr uint64_t CLONE3_FLAGS = 0xffffffffULL | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;

// copy_struct_from_user(): older callers have fewer members, newer ones must leave the rest zero.
Result<CloneArgs> read_clone_args(Task& t, UserPtr<CloneArgs> p, size_t size) {
  if (size > PAGE) return Error{E2BIG};
  if (size < CLONE_ARGS_SIZE_V0) return Error{EINVAL};
  CloneArgs args{};
  if (size > sizeof args) {
    const auto rest = TRY(t.mem().get_array(UserPtr<uint8_t>{p.addr + sizeof args}, size - sizeof args));
    if (std::any_of(rest.begin(), rest.end(), [](uint8_t b) { return b != 0; })) return Error{E2BIG};
  }
  TRY(t.mem().read(p.addr, &args, std::min(size, sizeof args)));
  return args;
}

Result<void> check_clone_args(const CloneArgs& a) {
  if (a.set_tid_size > MAX_PID_NS_LEVEL) return Error{EINVAL};
  if ((a.set_tid == 0) != (a.set_tid_size == 0)) return Error{EINVAL};
  if ((a.exit_signal & ~uint64_t{CSIGNAL}) != 0 || a.exit_signal > SIG_COUNT) return Error{EINVAL};
  if ((a.flags & ~CLONE3_FLAGS) != 0) return Error{EINVAL};
  if ((a.flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME))) != 0) return Error{EINVAL};
  if ((a.flags & CLONE_SIGHAND) != 0 && (a.flags & CLONE_CLEAR_SIGHAND) != 0) return Error{EINVAL};
  if ((a.flags & (CLONE_THREAD | CLONE_PARENT)) != 0 && a.exit_signal != 0) return Error{EINVAL};
  if ((a.stack == 0) != (a.stack_size == 0)) return Error{EINVAL};
  if (a.stack != 0 && (a.stack > GUEST_TASK_SIZE || a.stack_size > GUEST_TASK_SIZE - a.stack))
    return Error{EINVAL};
  return {};
}

}  // namespace

SysResult sys_clone(Task& t, unsigned long flags, uint64_t newsp, UserPtr<int> parent_tid,
                    UserPtr<int> child_tid, uint64_t tls) {
  CloneArgs args{};
  args.flags = static_cast<uint32_t>(flags) & ~uint64_t{CSIGNAL};
  args.pidfd = parent_tid.addr;  // shares the argument
  args.child_tid = child_tid.addr;
  args.parent_tid = parent_tid.addr;
  args.exit_signal = flags & CSIGNAL;
  args.stack = newsp;
  args.tls = tls;
  if ((flags & CLONE_PIDFD) != 0 && (flags & CLONE_PARENT_SETTID) != 0) return Error{EINVAL};
  return kernel_clone(t, args);
}

SysResult sys_clone3(Task& t, UserPtr<CloneArgs> cl_args, size_t size) {
  CloneArgs args = TRY(read_clone_args(t, cl_args, size));
  TRY(check_clone_args(args));
  if ((args.flags & CLONE_INTO_CGROUP) != 0) {
    klog(LogLevel::warn, "clone3: CLONE_INTO_CGROUP is not implemented");
    return Error{EOPNOTSUPP};
  }
  if ((args.flags & CLONE_PIDFD) != 0 && (args.flags & CLONE_PARENT_SETTID) != 0 &&
      args.pidfd == args.parent_tid)
    return Error{EINVAL};
  args.stack += args.stack_size;
  return kernel_clone(t, args);
}

SysResult sys_fork(Task& t) {
  CloneArgs args{};
  args.exit_signal = SIGCHLD;
  return kernel_clone(t, args);
}

SysResult sys_vfork(Task& t) {
  CloneArgs args{};
  args.flags = CLONE_VFORK | CLONE_VM;
  args.exit_signal = SIGCHLD;
  return kernel_clone(t, args);
}

SysResult sys_set_tid_address(Task& t, UserPtr<int> tidptr) {
  t.clear_child_tid = tidptr.addr;
  return t.own_tid;
}

}  // namespace starry
