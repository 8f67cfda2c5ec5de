// strace's own logs: joins the two halves of calls that others interrupted.
#include <algorithm>
#include <unordered_map>

#include "calls.h"
#include "lexer.h"
#include "reader.h"
#include "tasks.h"

namespace starry::diff {
namespace {

class StraceReader {
 public:
  StraceReader(Log& log, Strings& strings, int file_pid)
      : log_(log), strings_(strings), book_(log), file_pid_(file_pid) {}

  void read(std::string_view text) {
    const std::string_view all = text;
    while (!text.empty()) {
      line_++;
      take(take_line(text));
    }
    cut_off_ = !all.empty() && all.back() != '\n';
    flush_torn();
    finish();
    log_.lines += line_;
  }

 private:
  void take(std::string_view line) {
    const std::string_view whole = line;
    if (trim(line).empty()) return;
    const Prefix p = take_prefix(line);
    const Statement s = parse_statement(line);
    const int tid = p.pid != 0 ? p.pid : file_pid_;
    const int64_t time = clock(p);
    if (tid != 0 && p.pid != 0) with_pids_ = true;
    switch (s.form) {
      case Form::call:
        if (closes_torn(whole, s)) return;
        flush_torn();
        add_call(tid, time, s, 0);
        break;
      case Form::entry:
        add_call(tid, time, s, EV_UNFINISHED);
        open_[tid] = static_cast<uint32_t>(log_.events.size() - 1);
        break;
      case Form::resumed:
        resume(tid, time, s);
        break;
      case Form::torn:
        flush_torn();
        torn_ = {true, tid, time, line_, s.name, s.args};
        break;
      case Form::signal:
        add_other(tid, time, s, EventType::signal);
        break;
      case Form::stop:
        add_other(tid, time, s, EventType::stop);
        break;
      case Form::exit:
      case Form::killed:
        add_other(tid, time, s, s.form == Form::exit ? EventType::exit : EventType::killed);
        open_.erase(tid);
        book_.ended(tid);
        break;
      case Form::superseded: {
        add_other(tid, time, s, EventType::exec);
        std::string_view by = s.name;
        int64_t n = 0;
        if (take_number(by, n)) book_.superseded(tid, static_cast<int>(n));
        break;
      }
      case Form::stack:
      case Form::notice:
        break;
      case Form::none:
        if (!close_torn_line(whole)) unknown_.push_back(line_);
        break;
    }
  }

  int64_t clock(const Prefix& p) {
    if (p.time < 0) return -1;
    if (p.relative) return clock_ += p.time;
    // A log with times of day may pass midnight.
    constexpr int64_t DAY = 86'400'000'000'000, HOUR = DAY / 24;
    if (!p.absolute_date && p.time + day_ < last_ - 12 * HOUR) day_ += DAY;
    return last_ = p.absolute_date ? p.time : p.time + day_;
  }

  Event& add(int tid, int64_t time, EventType type) {
    Event e;
    e.type = type;
    e.start = time;
    e.line = e.end_line = line_;
    e.task = book_.at(tid);
    log_.events.push_back(e);
    return log_.events.back();
  }

  void add_call(int tid, int64_t time, const Statement& s, uint16_t flags) {
    Event& e = add(tid, time, EventType::call);
    e.name = strings_.intern(s.name);
    e.args = s.args;
    e.flags = flags;
    e.duration = s.duration;
    set_result(e, s.ret, strings_);
    if (flags == 0) book_.created_by(e, s.name);
  }

  void add_other(int tid, int64_t time, const Statement& s, EventType type) {
    Event& e = add(tid, time, type);
    e.name = strings_.intern(s.name);
    e.args = s.args;
  }

  void resume(int tid, int64_t time, const Statement& s) {
    const auto it = open_.find(tid);
    if (it == open_.end() || strings_[log_.events[it->second].name] != s.name) {
      Event& e = add(tid, time, EventType::call);
      e.name = strings_.intern(s.name);
      e.args = s.args;
      e.flags = EV_NO_ENTRY;
      set_result(e, s.ret, strings_);
      book_.created_by(e, s.name);
      return;
    }
    Event& e = log_.events[it->second];
    open_.erase(it);
    std::string_view rest = s.args;
    if (e.args.ends_with(' ') || e.args.empty())
      while (rest.starts_with(' ')) rest.remove_prefix(1);
    if (!rest.empty()) {
      std::string joined(e.args);
      joined += rest;
      e.args = log_.arena.keep(joined);
    }
    e.flags &= static_cast<uint16_t>(~EV_UNFINISHED);
    e.end_line = line_;
    e.duration = s.duration >= 0 ? s.duration : (e.start >= 0 && time >= 0 ? time - e.start : -1);
    set_result(e, s.ret, strings_);
    log_.joined++;
    book_.created_by(e, s.name);
  }

  // --- Logs that went to a terminal: the program's output is written into the lines ---

  // A line that looks like a call may be output followed by the end of the torn one; only a call by its
  // name is a call.
  bool closes_torn(std::string_view whole, const Statement& s) {
    return torn_.open && !with_pids_ && s.name.size() > 24 && close_torn_line(whole);
  }

  bool close_torn_line(std::string_view whole) {
    if (!torn_.open) return false;
    // "text of the program) = 118": the lexer does the same with a name in front.
    std::string probe = "x(";
    probe += whole;
    const Statement s = parse_statement(probe);
    if (s.form != Form::call) return false;
    const Result r = parse_result(s.ret);
    if (!r.has_number && !s.ret.starts_with('?')) return false;
    terminal_ = true;
    finish_torn(log_.arena.keep(s.ret), s.duration);
    return true;
  }

  void finish_torn(std::string_view ret, int64_t duration) {
    Statement s;
    s.name = torn_.name;
    s.args = without_output(torn_.name, torn_.args, ret);
    s.ret = ret;
    s.duration = duration;
    const uint32_t at = line_;
    std::swap(line_, torn_.line);
    add_call(torn_.tid, torn_.time, s, EV_TORN);
    std::swap(line_, torn_.line);
    log_.events.back().end_line = at;
    torn_.open = false;
  }

  // The last argument and the output that follows it have no border. The output of write(2) begins right
  // after its count, and the count is the result.
  static std::string_view without_output(std::string_view name, std::string_view args, std::string_view ret) {
    size_t last = 0;
    for (size_t i = 0; (i = argument_end(args, i)) < args.size(); i++) last = i + 1;
    if (name == "write" && last > 0) {
      std::string_view count = args.substr(last);
      while (count.starts_with(' ')) count.remove_prefix(1);
      if (!ret.empty() && count.starts_with(ret))
        return args.substr(0, static_cast<size_t>(count.data() - args.data()) + ret.size());
    }
    return last > 1 ? args.substr(0, last - 1) : std::string_view();
  }

  void flush_torn() {
    if (!torn_.open) return;
    // Without an end: cut off by the end of the file, by output that never ended, or broken.
    if (!cut_off_ || torn_.line != line_) torn_lines_.push_back(torn_.line);
    Statement s;
    s.name = torn_.name;
    s.args = torn_.args;
    std::swap(line_, torn_.line);
    add_call(torn_.tid, torn_.time, s, EV_TORN | EV_UNFINISHED);
    std::swap(line_, torn_.line);
    torn_.open = false;
  }

  void finish() {
    const bool terminal = terminal_ && !with_pids_;
    if (terminal)
      log_.output_lines += unknown_.size();
    else
      for (const uint32_t line : unknown_) log_.report_bad(line, "not a line of strace");
    if (!terminal)
      for (const uint32_t line : torn_lines_) log_.report_bad(line, "the call has no end");
    std::ranges::sort(log_.bad, {}, &BadLine::line);
    log_.first_task_only =
        !with_pids_ && file_pid_ == 0 && std::ranges::any_of(log_.events, [this](const Event& e) {
          return e.type == EventType::call && e.number > 0 && makes_task(strings_[e.name]);
        });
  }

  struct Torn {
    bool open = false;
    int tid = 0;
    int64_t time = -1;
    uint32_t line = 0;
    std::string_view name, args;
  };

  Log& log_;
  Strings& strings_;
  TaskBook book_;
  const int file_pid_;
  uint32_t line_ = 0;
  std::unordered_map<int, uint32_t> open_;  // thread id: its unfinished call
  Torn torn_;
  std::vector<uint32_t> unknown_, torn_lines_;
  bool with_pids_ = false, terminal_ = false, cut_off_ = false;
  int64_t clock_ = 0, last_ = 0, day_ = 0;
};

}  // namespace

void read_strace(std::string_view text, Log& log, Strings& strings, int file_pid) {
  StraceReader(log, strings, file_pid).read(text);
}

}  // namespace starry::diff
