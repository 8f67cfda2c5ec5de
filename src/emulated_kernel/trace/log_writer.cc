#include "emulated_kernel/trace/log_writer.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/base/result.h"
#include "emulated_kernel/trace/hex_dump.h"
#include "emulated_kernel/trace/json.h"
#include "emulated_kernel/trace/printer.h"
#include "emulated_kernel/trace/render.h"

namespace starry::trace {
namespace {

const char* call_name(const CallEvent& call) {
  const char* name = syscall_spec(call.nr).name;
  return name != nullptr ? name : "????";
}

// execve(2) and execveat(2): the calls that take the arguments of a program.
bool replaces_program(const CallEvent& call) {
  const SyscallSpec& spec = syscall_spec(call.nr);
  for (int i = 0; i < spec.nargs; ++i)
    if (spec.args[i].spec.fmt == Fmt::EXEC_ARGV) return true;
  return false;
}

std::string exit_text(int wait_status) {
  if (WIFSIGNALED(wait_status))
    return fmt::format("+++ killed by {} {}+++", signal_name(WTERMSIG(wait_status)),
                       WCOREDUMP(wait_status) ? "(core dumped) " : "");
  return fmt::format("+++ exited with {} +++", WEXITSTATUS(wait_status));
}

// What stands for a thread's line in LineWriter.
const void* owner(pid_t tid) { return reinterpret_cast<const void*>(static_cast<uintptr_t>(tid)); }

std::string marks_text(uint8_t marks) {
  std::string text;
  if ((marks & RecordHead::INJECTED) != 0) text += " (INJECTED)";
  if ((marks & RecordHead::DELAYED) != 0) text += " (DELAYED)";
  return text;
}

}  // namespace

LogWriter::LogWriter(TraceOptions options, LogOutputs outputs, uint64_t start_ns, uint64_t start_realtime_ns)
    : options_(std::move(options)),
      outputs_(std::move(outputs)),
      start_ns_(start_ns),
      start_realtime_ns_(start_realtime_ns) {
  options_.split_args = outputs_.json != nullptr;
}

LogWriter::~LogWriter() = default;

LineWriter* LogWriter::lines(pid_t tid) {
  Task& t = task(tid);
  if (t.lines != nullptr || !wants_text()) return t.lines;
  TraceSink* sink = outputs_.lines(tid);
  std::unique_ptr<LineWriter>& writer = writers_[sink];
  if (writer == nullptr) writer = std::make_unique<LineWriter>(*sink, options_);
  return t.lines = writer.get();
}

void LogWriter::set_options(TraceOptions options) {
  for (auto& [sink, writer] : writers_) writer->flush();
  options_ = std::move(options);
  options_.split_args = outputs_.json != nullptr;
}

void LogWriter::take(RecordView& r) {
  switch (r.head.kind) {
    case RecordHead::Kind::ENTER:
      return enter(r);
    case RecordHead::Kind::EXIT:
      return exit(r);
    case RecordHead::Kind::SIGNAL:
      return signal(r);
    case RecordHead::Kind::STOPPED:
      if (options_.signals.has(static_cast<int>(r.head.number)))
        whole_line(r, fmt::format("--- stopped by {} ---", signal_name(static_cast<int>(r.head.number))));
      return json_event(r, "stop", signal_name(static_cast<int>(r.head.number)));
    case RecordHead::Kind::TASK_EXIT:
    case RecordHead::Kind::SUPERSEDED: {
      end_call(r, task(r.head.tid));
      const bool superseded = r.head.kind == RecordHead::Kind::SUPERSEDED;
      const auto status = static_cast<int>(r.head.number);
      const std::string text = superseded
                                   ? fmt::format("+++ superseded by execve in pid {} +++", r.head.number)
                                   : exit_text(status);
      const bool quiet = superseded            ? options_.quiet.has(static_cast<int>(Quiet::SUPERSEDED))
                         : WIFSIGNALED(status) ? !options_.signals.has(WTERMSIG(status))
                                               : options_.quiet.has(static_cast<int>(Quiet::EXIT));
      if (!quiet) whole_line(r, text);
      json_event(r, "exit", text);
      tasks_.erase(r.head.tid);
      // From now on the thread that called execve(2) has the leader's number.
      if (auto by =
              superseded ? tasks_.extract(static_cast<pid_t>(r.head.number)) : decltype(tasks_)::node_type();
          !by.empty()) {
        by.key() = r.head.tid;
        tasks_.insert(std::move(by));
        return;
      }
      if (!options_.pids && wants_text()) {
        writers_.erase(outputs_.lines(r.head.tid));
        if (outputs_.thread_done) outputs_.thread_done(r.head.tid);
      }
      return;
    }
  }
}

void LogWriter::enter(RecordView& r) {
  Task& t = task(r.head.tid);
  t.call = r.head.event();
  t.pending = true;
  t.entry_ns = r.head.ns;
  t.stack.assign(r.stack.begin(), r.stack.end());
  if (!wants_text() && outputs_.json == nullptr) return;
  t.entry = render_entry(t.call, t.state, r, options_);
  t.reads = dump(t, r, options_.dump_writes, true);
  if (!wants_text() || !options_.statuses.complete()) return;
  LineWriter* w = lines(r.head.tid);
  w->begin(owner(r.head.tid), r.head.tid, realtime(r.head.ns), t.call.nr);
  w->add(t.entry);
  w->flush();
}

std::string LogWriter::result_text(const RecordView& r, Task& t) {
  RecordView& memory = const_cast<RecordView&>(r);
  std::string text;
  if (options_.raw.has(t.call.nr) && t.call.err == 0)
    text = fmt::format("{:#x}", static_cast<uint64_t>(t.call.value));
  else
    text = render_result(t.call, t.state, memory, options_);
  return text + marks_text(r.head.marks);
}

std::string LogWriter::dump(const Task& t, RecordView& r, const NumberSet& fds, bool input) const {
  if (fds.empty() || !fds.has(static_cast<int>(t.call.args[0]))) return {};
  const SyscallSpec& spec = syscall_spec(t.call.nr);
  if (spec.nargs == 0 || spec.args[0].spec.kind != Kind::FD) return {};
  for (int i = 1; i < spec.nargs; ++i) {
    const ArgSpec& arg = spec.args[i].spec;
    if (arg.kind != (input ? Kind::BUF_IN : Kind::BUF_OUT)) continue;
    const uint64_t length = input ? t.call.args[arg.len_arg] : static_cast<uint64_t>(t.call.value);
    return hex_dump(r, t.call.args[i], length);
  }
  return {};
}

void LogWriter::exit(RecordView& r) {
  Task& t = task(r.head.tid);
  if (!t.pending) return;  // tracing began during the call
  t.pending = false;
  t.call.err = r.head.err;
  t.call.value = r.head.value;
  if (options_.summary != TraceOptions::Summary::NONE)
    summary_.count(t.call.nr, options_.summary_wall_clock ? r.head.ns - t.entry_ns : r.head.system_ns,
                   t.call.err != 0);
  if (!wants_text() && outputs_.json == nullptr) return;
  const std::string rest = render_exit(t.call, t.state, r, options_);
  std::string result = result_text(r, t);
  report_unknown(r, t);
  if (outputs_.json != nullptr) {
    t.entry += rest;
    json_call(r, t, result, true);
    if (t.call.err == 0 && replaces_program(t.call)) json_event(r, "exec", t.state.arg_texts.front());
    t.entry.resize(t.entry.size() - rest.size());
  }
  if (!wants_text()) return;
  if (options_.duration)
    result += " <" + seconds_text(r.head.ns - t.entry_ns, options_.duration_digits) + ">";
  if (options_.statuses.complete()) {
    resume(r, t);
  } else {
    if (!shows(t.call.err != 0 ? CallStatus::FAILED : CallStatus::SUCCESSFUL)) return;
    lines(r.head.tid)->begin(owner(r.head.tid), r.head.tid, realtime(t.entry_ns), t.call.nr);
    t.lines->add(t.entry);
  }
  t.lines->add(rest);
  t.lines->finish_call(result);
  if (t.call.err == 0) t.reads += dump(t, r, options_.dump_reads, false);
  t.lines->add(t.reads);
  if (!r.stack.empty()) t.stack.assign(r.stack.begin(), r.stack.end());
  write_stack(t);
}

void LogWriter::write_stack(Task& t) {
  for (const std::string& line : t.stack) t.lines->add(line + "\n");
  t.lines->flush();
}

// Continues the line of a call, or begins one that says what it belongs to.
void LogWriter::resume(const RecordView& r, Task& t) {
  LineWriter* w = lines(r.head.tid);
  if (w->is_open(owner(r.head.tid))) return;
  w->begin(owner(r.head.tid), r.head.tid, realtime(r.head.ns), t.call.nr);
  w->add(fmt::format("<... {} resumed>", call_name(t.call)));
}

// The end of a call that does not return: exit(2), or the thread was killed in it.
void LogWriter::end_call(RecordView& r, Task& t) {
  if (!t.pending) return;
  t.pending = false;
  report_unknown(r, t);
  if (!t.state.complete) t.entry += " <unfinished ...>";
  if (outputs_.json != nullptr) json_call(r, t, "?", false);
  if (!wants_text()) return;
  LineWriter* w = lines(r.head.tid);
  if (options_.statuses.complete()) {
    resume(r, t);
    if (!t.state.complete) w->add(" <unfinished ...>");
  } else {
    if (!shows(CallStatus::UNFINISHED)) return;
    w->begin(owner(r.head.tid), r.head.tid, realtime(t.entry_ns), t.call.nr);
    w->add(t.entry);
  }
  w->finish_call("?");
  write_stack(t);
}

void LogWriter::whole_line(const RecordView& r, const std::string& text) {
  if (!wants_text()) return;
  Task& t = task(r.head.tid);
  LineWriter* w = lines(r.head.tid);
  w->begin(nullptr, r.head.tid, realtime(r.head.ns), t.call.nr);
  w->end_line(text);
}

void LogWriter::signal(RecordView& r) {
  std::string text = fmt::format("--- {} ", signal_name(static_cast<int>(r.head.number)));
  const CallEvent none;
  CallState state;
  Printer p(text, none, state, r, options_);
  print_siginfo(p, r.siginfo.data());
  text += " ---";
  if (options_.signals.has(static_cast<int>(r.head.number))) {
    whole_line(r, text);
    Task& t = task(r.head.tid);
    t.stack.assign(r.stack.begin(), r.stack.end());
    if (wants_text()) write_stack(t);
  }
  json_event(r, "signal", text);
}

void LogWriter::report_unknown(const RecordView& r, Task& t) {
  constexpr size_t MAX_REPORTS = 1000;  // values are the guest's to choose
  for (const UnknownValue& u : t.state.unknown) {
    if (outputs_.notice == nullptr || reported_.size() >= MAX_REPORTS) break;
    if (!reported_.emplace(u.family, u.value).second) continue;
    const char* family = unknown_note(static_cast<FlagFamily>(u.family));
    outputs_.notice(fmt::format("{}[{}]: {}: a value without a name: {:#x}{}", r.head.comm, r.head.tid,
                                call_name(t.call), u.value,
                                family[0] != '\0' ? fmt::format(" ({})", family) : ""));
  }
  t.state.unknown.clear();
}

void LogWriter::json_call(const RecordView& r, const Task& t, const std::string& result, bool returned) {
  JsonObject o;
  o.add("type", "call");
  o.number("pid", r.head.tgid);
  o.number("tid", r.head.tid);
  o.add("comm", r.head.comm);
  o.number("start", static_cast<int64_t>(t.entry_ns - start_ns_));
  o.number("duration", static_cast<int64_t>(r.head.ns - t.entry_ns));
  o.number("cpu", r.head.cpu);
  o.number("nr", t.call.nr);
  o.add("name", call_name(t.call));
  std::string args = "[", raw = "[";
  for (const std::string& a : t.state.arg_texts) args += (args.size() > 1 ? "," : "") + json_string(a);
  const SyscallSpec& spec = syscall_spec(t.call.nr);
  for (int i = 0; i < (spec.name != nullptr ? spec.nargs : 6); ++i)
    raw += (i != 0 ? "," : "") + std::to_string(t.call.args[i]);
  o.raw("args", args + "]");
  o.raw("raw", raw + "]");
  const bool failed = t.call.err != 0;
  o.raw("ret", !returned || t.call.err >= ERESTARTSYS ? "null"
               : failed                               ? "-1"
                                                      : std::to_string(t.call.value));
  const std::string error = failed ? error_text(t.call.err) : "";
  if (returned && failed)
    o.add("errno", error.substr(0, error.find(' ')));
  else
    o.raw("errno", "null");
  if (r.head.marks != 0) o.raw("injected", "true");
  o.add("text", t.entry + ") = " + result);
  const auto intervals = [this](const std::vector<RecordView::Interval>& list, bool on) {
    std::string text = "[";
    for (const RecordView::Interval& i : list) {
      JsonObject one;
      if (on) one.add("on", i.what);
      one.number("from", static_cast<int64_t>(i.from - start_ns_));
      one.number("to", static_cast<int64_t>(i.to - start_ns_));
      text += (text.size() > 1 ? "," : "") + one.text();
    }
    return text + "]";
  };
  o.raw("blocked", intervals(r.blocked, true));
  o.raw("preempted", intervals(r.preempted, false));
  outputs_.json->write(o.text() + "\n");
}

void LogWriter::json_event(const RecordView& r, std::string_view type, std::string_view text) {
  if (outputs_.json == nullptr) return;
  JsonObject o;
  o.add("type", type);
  o.number("pid", r.head.tgid);
  o.number("tid", r.head.tid);
  o.add("comm", r.head.comm);
  o.number("start", static_cast<int64_t>(r.head.ns - start_ns_));
  o.number("cpu", r.head.cpu);
  if (type != "exec") o.number(type == "exit" ? "status" : "signal", r.head.number);
  o.add("text", text);
  outputs_.json->write(o.text() + "\n");
}

void LogWriter::finish() {
  for (auto& [sink, writer] : writers_) writer->end_open();
  if (options_.summary != TraceOptions::Summary::NONE && !summary_.empty() && outputs_.summary != nullptr)
    outputs_.summary->write(summary_.table(options_.summary_sort, options_.summary_columns));
}

}  // namespace starry::trace
