// Tracing of one guest task by another (ptrace(2)). A tracee that has something to tell stops: it sleeps in
// ptrace_stop() on its way into or out of the kernel, where its registers can be read and changed, until its
// tracer lets it go on.
#pragma once

#include <sys/ptrace.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/signal/task_signals.h"
#include "emulated_kernel/task/task.h"

namespace starry {

// What Task::ptrace points to while the task is traced.
struct PtraceState {
  enum class Run : uint8_t { cont, syscall, step };
  enum class Where : uint8_t { elsewhere, syscall_entry, syscall_exit, seccomp };  // PTRACE_SYSCALL_INFO_*

  Task* tracer = nullptr;  // lets its tracees go before it ends
  bool seized = false;
  uint32_t options = 0;  // PTRACE_O_*
  Run run = Run::cont;   // until the next stop
  bool stopped = false;
  bool listening = false;  // PTRACE_LISTEN: in a group stop, tells of its end
  bool unwaited = false;   // the stop was not reported by wait(2) yet
  bool interrupt = false;  // PTRACE_INTERRUPT: stop as soon as possible
  bool stepped_into_handler = false;
  int status = 0;         // of the stop: signal, or signal | event << 8
  SigInfo info;           // PTRACE_GETSIGINFO
  bool has_info = false;  // EINVAL in group stops
  uint64_t message = 0;   // PTRACE_GETEVENTMSG
  int next_signal = 0;    // what the tracer wants delivered
  Where where = Where::elsewhere;
  int64_t orig_rax = -1;  // number of the system call; -1: none
};

// --- Access, ptrace_access.cc ---
// PTRACE_MODE_ATTACH_REALCREDS: same user in all its ids, dumpable, no more capabilities; or CAP_SYS_PTRACE.
bool may_attach(const Task& by, const Task& target);

// --- Beginning and end, ptrace.cc ---
bool anybody_is_traced();
Result<void> ptrace_traceme(Task& t);
// PTRACE_ATTACH and PTRACE_SEIZE. EPERM.
Result<void> ptrace_attach(Task& tracer, Task& target, bool seize, uint32_t options);
// It stands for its tracer. Not when it has been killed, though it has not run since.
bool ptrace_stands(const Task& t);
// Lets a stopped tracee go on. `signo` is delivered in place of the one it stopped for.
void ptrace_resume(Task& tracee, PtraceState::Run how, int signo);
void ptrace_detach(Task& tracee, int signo);
// `t` ends: its tracees are free, or die with it (PTRACE_O_EXITKILL).
void ptrace_tracer_exits(Task& t);
// A task that is traced is gone: its tracer, if that is not the parent of the process, is told.
void ptrace_tracee_gone(Task& t, int status);
// A child of a traced task that is to be traced from its first instruction. `event`: PTRACE_EVENT_*.
void ptrace_attach_child(Task& parent, Task& child);
int ptrace_clone_event(const Task& parent, uint64_t clone_flags, int exit_signal);  // 0: none wanted

// --- Stops, ptrace_stop.cc ---
// Sleeps until the tracer resumes it. The signal that the tracer passes, 0 for none.
int ptrace_stop(Task& t, int status, const SigInfo* info);
// Stops for PTRACE_EVENT_`event` if that was asked for.
void ptrace_event(Task& t, int event, uint64_t message);
// Before and after a system call. enter: false if the tracer wants it skipped. Only while tracing calls.
bool ptrace_syscall_enter(Task& t);
SysResult ptrace_syscall_exit(Task& t, SysResult result);
// A signal that would be delivered now. False if the tracer takes it.
bool ptrace_signal(Task& t, SigInfo& info);
// PTRACE_SINGLESTEP: the trap flag while the guest runs, and the step into a handler, whose first instruction
// the carrier comes back from.
void ptrace_begin_step(Task& t);
void ptrace_end_step(Task& t);
void ptrace_handler_entered(Task& t);
inline bool ptrace_stepping(const Task& t) {
  return t.ptrace != nullptr && t.ptrace->run == PtraceState::Run::step;
}
// In the place of an ordinary group stop.
void ptrace_group_stop(Task& t);
// SIGCONT for a thread that sleeps in its group stop: it goes on; if it is a tracee, its tracer decides, and
// is told if it listens (PTRACE_LISTEN).
void ptrace_stop_ended(Task& t);
// After a successful execve(2); `old_tid` is what the thread was called before.
void ptrace_exec(Task& t, pid_t old_tid);
void ptrace_exit(Task& t, int status);
inline bool ptrace_trap_pending(const Task& t) { return t.ptrace != nullptr && t.ptrace->interrupt; }

// --- Registers and memory of a stopped tracee, ptrace_regs.cc ---
inline constexpr size_t USER_REGS = 27;  // words of struct user_regs_struct
using UserRegs = std::array<uint64_t, USER_REGS>;
UserRegs user_regs(Task& t, int64_t orig_rax);  // of any task: struct user_regs_struct
UserRegs ptrace_get_regs(Task& t);
Result<void> ptrace_set_regs(Task& t, const UserRegs& r);  // EIO
// Also where the guest itself may not write: breakpoints in program text. EIO.
Result<void> ptrace_poke(Task& t, uint64_t addr, const void* src, size_t n);
// Floating-point and vector registers in the XSAVE format, or FXSAVE's part of it; the tracer library
// provides both. They suspend the fiber. EIO; EINVAL and EFAULT: state that cannot be.
struct FpAccess {
  std::function<Result<std::vector<uint8_t>>(Task&)> get;
  std::function<Result<void>(Task&, const std::vector<uint8_t>&)> set;
};
FpAccess& ptrace_fp();

// --- What wait(2) asks ---
struct PtraceReport {
  pid_t tid = 0;
  pid_t number = 0;  // by which the tracer knows it, or knew it
  uint32_t uid = 0;
  int code = 0;  // CLD_TRAPPED, CLD_EXITED, CLD_KILLED
  int status = 0;
};
// The next report for threads of `t`'s process about tracees that `match` accepts. `any` tells whether there
// is such a tracee at all.
bool ptrace_take_report(Task& t, const std::function<bool(pid_t tid, pid_t pgid)>& match, bool exits,
                        bool keep, bool* any, PtraceReport* out);
bool ptraced_by_process(const Task& tracee, const ThreadGroup& g);

}  // namespace starry
