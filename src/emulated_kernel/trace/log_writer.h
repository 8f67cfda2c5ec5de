// From records (trace/record.h) to what people and programs read: strace's lines, its summary of -c, and
// JSON. Runs on a thread of its own; needs nothing but the records.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "emulated_kernel/trace/line_writer.h"
#include "emulated_kernel/trace/record.h"
#include "emulated_kernel/trace/summary.h"

namespace starry::trace {

// Where the results go; the referenced objects must outlive the writer.
struct LogOutputs {
  // The file for a thread's lines; always the same one without -ff. nullptr: no lines are wanted.
  std::function<TraceSink*(pid_t tid)> lines;
  std::function<void(pid_t tid)> thread_done;  // its file will not be used again
  TraceSink* summary = nullptr;                // of -c and -C
  TraceSink* json = nullptr;
  // Something to tell the user (an unknown flag), once each.
  std::function<void(const std::string&)> notice;
};

class LogWriter {
 public:
  // `start_ns` and `start_realtime_ns`: the same moment on the monotonic and the real-time clock; times in
  // records are relative to it.
  LogWriter(TraceOptions options, LogOutputs outputs, uint64_t start_ns, uint64_t start_realtime_ns);
  ~LogWriter();

  void take(RecordView& record);
  // From the next record on: other calls, another look. Lines that are open are ended.
  void set_options(TraceOptions options);
  // The summary, and the end of lines that are open.
  void finish();

 private:
  // A thread's call in progress.
  struct Task {
    CallEvent call;
    CallState state;
    bool pending = false;
    uint64_t entry_ns = 0;
    std::string entry;  // its text so far
    std::string reads;  // hex dump that follows the line (-e write=)
    std::vector<std::string> stack;
    LineWriter* lines = nullptr;
  };

  void enter(RecordView& r);
  void exit(RecordView& r);
  void end_call(RecordView& r, Task& t);
  void signal(RecordView& r);
  void whole_line(const RecordView& r, const std::string& text);
  void write_stack(Task& t);
  void resume(const RecordView& r, Task& t);
  std::string result_text(const RecordView& r, Task& t);
  std::string dump(const Task& t, RecordView& r, const NumberSet& fds, bool input) const;
  void report_unknown(const RecordView& r, Task& t);
  void json_call(const RecordView& r, const Task& t, const std::string& result, bool returned);
  void json_event(const RecordView& r, std::string_view type, std::string_view text);

  Task& task(pid_t tid) { return tasks_[tid]; }
  LineWriter* lines(pid_t tid);
  uint64_t realtime(uint64_t ns) const { return ns - start_ns_ + start_realtime_ns_; }
  bool wants_text() const {
    return options_.summary != TraceOptions::Summary::ONLY && outputs_.lines != nullptr;
  }
  bool shows(CallStatus s) const { return options_.statuses.has(static_cast<int>(s)); }

  TraceOptions options_;
  LogOutputs outputs_;
  uint64_t start_ns_, start_realtime_ns_;
  std::map<pid_t, Task> tasks_;
  std::map<TraceSink*, std::unique_ptr<LineWriter>> writers_;
  Summary summary_;
  std::set<std::pair<int, uint64_t>> reported_;  // unknown values
};

}  // namespace starry::trace
