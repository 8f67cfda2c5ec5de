#include "emulated_kernel/trace/tracer.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/platform.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/trace/printer.h"
#include "emulated_kernel/trace/render.h"

namespace starry {

// A task's call in progress.
struct TraceState {
  CallEvent call;
  CallState state;
  bool pending = false;  // its entry half is in the log
  uint64_t entry_ns = 0;
  int64_t interrupted_nr = -1;  // what restart_syscall(2) would continue
};

namespace {

struct Log {
  Log(TraceSink& sink, TraceOptions opt) : options(std::move(opt)), lines(sink, options) {}
  TraceOptions options;
  trace::LineWriter lines;
};
std::unique_ptr<Log> log;

class TaskMemory final : public MemoryView {
 public:
  explicit TaskMemory(Task& t) : task_(t) {}
  size_t read_some(uint64_t addr, void* dst, size_t n) override {
    if (task_.mm == nullptr || n == 0) return 0;
    auto got = task_.mem().read_some(addr, dst, n);
    return got.ok() ? *got : 0;
  }

 private:
  Task& task_;
};

class NoMemory final : public MemoryView {
 public:
  size_t read_some(uint64_t, void*, size_t) override { return 0; }
};

TraceState& state_of(Task& t) {
  if (t.trace == nullptr) t.trace = std::make_shared<TraceState>();
  return *t.trace;
}

CallEvent event_of(Task& t, int64_t interrupted_nr) {
  // uc_sigmask in the frame that rt_sigreturn(2) finds at the stack pointer (struct ucontext).
  constexpr uint64_t FRAME_MASK_OFFSET = 296;
  CallEvent call;
  call.nr = t.call.nr;
  std::copy(std::begin(t.call.args), std::end(t.call.args), call.args);
  const RetKind ret = syscall_spec(call.nr).ret;
  if (ret == RetKind::SIGRETURN) call.args[0] = t.regs().rsp + FRAME_MASK_OFFSET;
  if (ret == RetKind::RESTART) call.args[0] = static_cast<uint64_t>(interrupted_nr);
  return call;
}

const char* call_name(const CallEvent& call) {
  const char* name = syscall_spec(call.nr).name;
  return name != nullptr ? name : "????";
}

void begin_line(Task& t, const void* owner) { log->lines.begin(owner, t.tid, platform().realtime_ns()); }

// A line of its own.
void whole_line(Task& t, std::string_view text) {
  begin_line(t, nullptr);
  log->lines.end_line(text);
}

// Continues the line of a call, or begins one that says what it belongs to.
void resume_line(Task& t, TraceState& s) {
  if (log->lines.is_open(&s)) return;
  begin_line(t, &s);
  log->lines.add(fmt::format("<... {} resumed>", call_name(s.call)));
}

// The end of a call that does not return: exit(2), or the thread was killed in it.
void close_call(Task& t, TraceState& s) {
  if (!s.pending) return;
  s.pending = false;
  resume_line(t, s);
  if (s.state.complete)
    log->lines.finish_call("?");
  else
    log->lines.end_line(" <unfinished ...>) = ?");
}

std::string duration_text(uint64_t ns) {
  constexpr uint64_t NS_PER_SEC = 1'000'000'000, NS_PER_US = 1000;
  return fmt::format(" <{}.{:06}>", ns / NS_PER_SEC, ns % NS_PER_SEC / NS_PER_US);
}

}  // namespace

bool trace_detail::active = false;

void trace_enable(TraceSink* sink, TraceOptions options) {
  if (log != nullptr) log->lines.flush();
  log = sink != nullptr ? std::make_unique<Log>(*sink, std::move(options)) : nullptr;
  trace_detail::active = log != nullptr;
}

void trace_detail::enter(Task& t) {
  if (!log->options.traces(t.call.nr)) return;
  TraceState& s = state_of(t);
  s.call = event_of(t, s.interrupted_nr);
  s.pending = true;
  s.entry_ns = platform().monotonic_ns();
  TaskMemory memory(t);
  std::string text = trace::render_entry(s.call, s.state, memory, log->options);
  begin_line(t, &s);
  log->lines.add(text);
  log->lines.flush();
}

void trace_detail::exit(Task& t, const SysResult& result) {
  TraceState& s = state_of(t);
  if (!s.pending) return;  // filtered, or tracing began during the call
  s.pending = false;
  s.call.err = result.code();
  s.call.value = result.ok() ? result.value() : 0;
  if (s.call.err >= ERESTARTSYS && syscall_spec(s.call.nr).ret != RetKind::RESTART)
    s.interrupted_nr = s.call.nr;
  TaskMemory memory(t);
  std::string rest = trace::render_exit(s.call, s.state, memory, log->options);
  std::string value = trace::render_result(s.call, s.state, memory, log->options);
  if (log->options.duration) value += duration_text(platform().monotonic_ns() - s.entry_ns);
  resume_line(t, s);
  log->lines.add(rest);
  log->lines.finish_call(value);
}

void trace_detail::signal(Task& t, const SigInfo& info) {
  std::string text = fmt::format("--- {} ", trace::signal_name(info.signo));
  CallEvent none;
  CallState state;
  NoMemory memory;
  trace::Printer p(text, none, state, memory, log->options);
  trace::print_siginfo(p, &info);
  whole_line(t, text + " ---");
}

void trace_detail::stopped(Task& t, int signo) {
  whole_line(t, fmt::format("--- stopped by {} ---", trace::signal_name(signo)));
}

void trace_detail::task_exit(Task& t, int wait_status) {
  close_call(t, state_of(t));
  if (WIFSIGNALED(wait_status))
    whole_line(t, fmt::format("+++ killed by {}{} +++", trace::signal_name(WTERMSIG(wait_status)),
                              WCOREDUMP(wait_status) ? " (core dumped)" : ""));
  else
    whole_line(t, fmt::format("+++ exited with {} +++", WEXITSTATUS(wait_status)));
}

void trace_detail::superseded(Task& t, pid_t by) {
  close_call(t, state_of(t));
  whole_line(t, fmt::format("+++ superseded by execve in pid {} +++", by));
}

std::string render_call_brief(Task& t) {
  CallEvent call = event_of(t, -1);
  CallState state;
  TaskMemory memory(t);
  TraceOptions options;
  std::string text = trace::render_entry(call, state, memory, options);
  call.err = ENOSYS;  // outputs show as addresses
  text += trace::render_exit(call, state, memory, options);
  return text + ")";
}

}  // namespace starry
