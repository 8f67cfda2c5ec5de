#include "emulated_kernel/trace/tracer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>

#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/kernel.h"
#include "emulated_kernel/platform.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/trace/capture.h"
#include "emulated_kernel/trace/fd_text.h"
#include "emulated_kernel/trace/render.h"
#include "emulated_kernel/trace/trace_state.h"

namespace starry {

namespace {

struct Recording {
  RecordSink& sink;
  TraceOptions options;
  unsigned id;  // differs from those before
  RecordBuilder record;
};
std::unique_ptr<Recording> recording;

class TaskView final : public trace::GuestView {
 public:
  TaskView(Task& t, const TraceOptions& options) : task_(t), options_(options) {}
  size_t read_some(uint64_t addr, void* dst, size_t n) override {
    if (task_.mm == nullptr || n == 0) return 0;
    auto got = task_.mem().read_some(addr, dst, n);
    return got.ok() ? *got : 0;
  }
  std::string c_string(uint64_t addr, size_t max) override {
    if (task_.mm == nullptr) return {};
    if (auto s = task_.mem().read_cstr(addr, max, E2BIG); s.ok()) return *s + '\0';
    std::string s(max, '\0');
    s.resize(read_some(addr, s.data(), max));
    return s.substr(0, s.find('\0') + 1 == 0 ? s.size() : s.find('\0') + 1);
  }
  std::string fd_text(int fd) override { return trace::fd_text(task_, fd, options_.fd_details); }
  bool fd_is(int fd, const std::vector<std::string>& paths) override {
    return !paths.empty() && std::find(paths.begin(), paths.end(), trace::fd_path(task_, fd)) != paths.end();
  }

 private:
  Task& task_;
  const TraceOptions& options_;
};

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

RecordHead& start(Task& t, RecordHead::Kind kind) {
  RecordHead& h = recording->record.start(kind);
  h.tid = t.tid;
  h.tgid = t.tgid();
  h.cpu = static_cast<int16_t>(t.se.cpu);
  h.ns = platform().monotonic_ns();
  std::copy(t.comm.begin(), t.comm.end() - 1, h.comm);
  return h;
}

void finish() { recording->sink.push(recording->record.finish()); }

void set_call(RecordHead& h, const CallEvent& call) {
  h.number = call.nr;
  std::copy(std::begin(call.args), std::end(call.args), h.args);
  h.err = call.err;
  h.value = call.value;
}

void add_stack(Task& t) {
  if (!recording->options.stacks || !kernel().config.guest_stack || t.mm == nullptr) return;
  for (const std::string& line : kernel().config.guest_stack(t))
    recording->record.add(RecordItem::STACK, 0, line);
}

void simple(Task& t, RecordHead::Kind kind, int64_t number) {
  start(t, kind).number = number;
  finish();
}

// True if the task's call has an entry in this recording; from now on it has none.
bool take_entry(TraceState& s) { return std::exchange(s.recording, 0) == recording->id; }

// What a call sleeps on, from what the table says of it.
std::string awaited(Task& t) {
  const SyscallSpec& spec = syscall_spec(t.call.nr);
  if (spec.name == nullptr) return "?";
  if (spec.nargs > 0 && spec.args[0].spec.kind == Kind::FD)
    if (File* f = t.files != nullptr ? t.file(static_cast<int>(t.call.args[0])) : nullptr; f != nullptr) {
      std::string text = f->describe();
      if (text.starts_with("anon_inode:[")) return text.substr(12, text.find(']') - 12);
      if (const size_t colon = text.find(":["); colon != std::string::npos) return text.substr(0, colon);
      return text.starts_with("/dev/") ? "terminal" : "file";
    }
  for (int i = 0; i < spec.nargs; ++i) {
    const Fmt fmt = spec.args[i].spec.fmt;
    if (fmt == Fmt::POLLFD || fmt == Fmt::FDSET) return "poll";
    if (fmt == Fmt::TIMESPEC && spec.args[i].spec.kind == Kind::STRUCT_IN && spec.classes == C_NONE)
      return "timer";
    if (fmt == Fmt::WAIT_STATUS) return "child";
  }
  return (spec.classes & C_SIGNAL) != 0 ? "signal" : spec.name;
}

void add_waits(TraceState& s) {
  for (const TraceState::Wait& w : s.waits) {
    if (!w.preempted && w.from < s.entry_ns) continue;  // in a call that is not logged
    std::string data(reinterpret_cast<const char*>(&w.to), sizeof w.to);
    recording->record.add(w.preempted ? RecordItem::PREEMPTED : RecordItem::BLOCKED, w.from, data + w.what);
  }
  s.waits.clear();
}

}  // namespace

bool trace_detail::active = false;

void trace_enable(RecordSink* sink, TraceOptions options) {
  static unsigned last_id = 0;
  recording.reset();
  if (sink != nullptr)
    recording = std::make_unique<Recording>(Recording{*sink, std::move(options), ++last_id, {}});
  trace_detail::active = recording != nullptr;
}

const TraceOptions* trace_options() { return recording != nullptr ? &recording->options : nullptr; }

void trace_detail::enter(Task& t) {
  const TraceOptions& options = recording->options;
  if (!options.calls.has(t.call.nr)) return;
  TraceState& s = trace_state(t);
  s.call = event_of(t, s.interrupted_nr);
  s.marks = 0;
  TaskView view(t, options);
  RecordHead& head = start(t, RecordHead::Kind::ENTER);
  set_call(head, s.call);
  s.entry_ns = head.ns;
  if (!trace::capture_entry(s.call, s.state, view, options, recording->record)) return;
  s.recording = recording->id;
  // Calls that do not return to where they were made.
  if (const RetKind ret = syscall_spec(t.call.nr).ret; ret == RetKind::VOID) add_stack(t);
  finish();
}

void trace_detail::exit(Task& t, const SysResult& result) {
  TraceState& s = trace_state(t);
  if (!take_entry(s)) return;  // filtered, or recording began during the call
  s.call.err = result.code();
  s.call.value = result.ok() ? result.value() : 0;
  if (s.call.err >= ERESTARTSYS && syscall_spec(s.call.nr).ret != RetKind::RESTART)
    s.interrupted_nr = s.call.nr;
  TaskView view(t, recording->options);
  RecordHead& head = start(t, RecordHead::Kind::EXIT);
  set_call(head, s.call);
  head.marks = s.marks;
  uint64_t slept = 0;
  for (const TraceState::Wait& w : s.waits)
    if (w.from >= s.entry_ns) slept += w.to - w.from;
  head.system_ns = head.ns - s.entry_ns - std::min(slept, head.ns - s.entry_ns);
  trace::capture_exit(s.call, s.state, view, recording->options, recording->record);
  add_waits(s);
  add_stack(t);
  finish();
}

void trace_detail::signal(Task& t, const SigInfo& info) {
  start(t, RecordHead::Kind::SIGNAL).number = info.signo;
  recording->record.add(RecordItem::SIGINFO, 0, {reinterpret_cast<const char*>(&info), sizeof info});
  add_stack(t);
  finish();
}

void trace_detail::stopped(Task& t, int signo) { simple(t, RecordHead::Kind::STOPPED, signo); }

void trace_detail::task_exit(Task& t, int wait_status) {
  simple(t, RecordHead::Kind::TASK_EXIT, wait_status);
}

void trace_detail::superseded(Task& t, pid_t by) { simple(t, RecordHead::Kind::SUPERSEDED, by); }

void trace_detail::waited(Task& t, uint64_t from_ns, bool preempted) {
  constexpr size_t MAX_WAITS = 64;  // of one call: a poll with a storm of wake-ups
  TraceState& s = trace_state(t);
  if (s.waits.size() >= MAX_WAITS) return;
  s.waits.push_back({from_ns, platform().monotonic_ns(), preempted, preempted ? "" : awaited(t)});
}

void trace_mark(Task& t, uint8_t marks) {
  if (trace_on()) trace_state(t).marks |= marks;
}

std::string render_call_brief(Task& t) {
  CallEvent call = event_of(t, -1);
  CallState state;
  TraceOptions options;
  TaskView memory(t, options);
  std::string text = trace::render_entry(call, state, memory, options);
  call.err = ENOSYS;  // outputs show as addresses
  text += trace::render_exit(call, state, memory, options);
  return text + ")";
}

}  // namespace starry
