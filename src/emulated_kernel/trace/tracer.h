// The kernel's side of strace: the entry path calls these at each step of a task's life. While tracing
// is off each is one predictable branch; while it is on a record is left (trace/record.h) and nothing is
// rendered here.
#pragma once

#include <string>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/trace/event.h"
#include "emulated_kernel/trace/record.h"

namespace starry {

class Task;
struct SigInfo;

// Starts (or with nullptr stops) recording. The sink must live until then. Kernel thread only. Calls that
// are in progress appear from their next entry on.
void trace_enable(RecordSink* sink, TraceOptions options = {});
// The options in force; nullptr while off.
const TraceOptions* trace_options();

namespace trace_detail {
extern bool active;
void enter(Task& t);
void exit(Task& t, const SysResult& result);
void signal(Task& t, const SigInfo& info);
void stopped(Task& t, int signo);
void task_exit(Task& t, int wait_status);
void superseded(Task& t, pid_t by);
void waited(Task& t, uint64_t from_ns, bool preempted);
}  // namespace trace_detail

inline bool trace_on() { return trace_detail::active; }

// Before the handler runs: t.call is set, guest memory is as the caller left it.
inline void trace_enter(Task& t) {
  if (trace_on()) [[unlikely]]
    trace_detail::enter(t);
}
// After the handler, with its result before restart codes are turned into EINTR; for rt_sigreturn the
// restored rax. Guest memory holds the outputs.
inline void trace_exit(Task& t, const SysResult& result) {
  if (trace_on()) [[unlikely]]
    trace_detail::exit(t, result);
}
// When a signal is taken from the queue to be delivered (not when it is ignored).
inline void trace_signal(Task& t, const SigInfo& info) {
  if (trace_on()) [[unlikely]]
    trace_detail::signal(t, info);
}
// A group stop takes effect for this thread.
inline void trace_stopped(Task& t, int signo) {
  if (trace_on()) [[unlikely]]
    trace_detail::stopped(t, signo);
}
// The thread is gone; `wait_status` in wait(2) form. Closes a call that never returned.
inline void trace_task_exit(Task& t, int wait_status) {
  if (trace_on()) [[unlikely]]
    trace_detail::task_exit(t, wait_status);
}
// The leader `t` disappears because its thread `by` called execve(2); before `by` takes over the pid.
inline void trace_superseded(Task& t, pid_t by) {
  if (trace_on()) [[unlikely]]
    trace_detail::superseded(t, by);
}
// The task had no CPU from `from_ns` (monotonic) until now: it slept in a call, or was preempted.
inline void trace_waited(Task& t, uint64_t from_ns, bool preempted) {
  if (trace_on()) [[unlikely]]
    trace_detail::waited(t, from_ns, preempted);
}
// What the result of the current call has been changed by (RecordHead::Mark).
void trace_mark(Task& t, uint8_t marks);

// "name(arg, ...)" of the current call, for messages. Works without tracing.
std::string render_call_brief(Task& t);

}  // namespace starry
