// starryrun's JSON: one object per line. The line as strace writes it ("text") is the truth for names,
// arguments and results; the rest is what only the emulated kernel knows.
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "lexer.h"
#include "reader.h"
#include "tasks.h"

namespace starry::diff {
namespace {

using Json = nlohmann::json;

int64_t integer(const Json& j, const char* key, int64_t otherwise) {
  const auto it = j.find(key);
  return it != j.end() && it->is_number_integer() ? it->get<int64_t>() : otherwise;
}
std::string string(const Json& j, const char* key) {
  const auto it = j.find(key);
  return it != j.end() && it->is_string() ? it->get<std::string>() : std::string();
}

class JsonReader {
 public:
  JsonReader(Log& log, Strings& strings) : log_(log), strings_(strings), book_(log) {}

  void read(std::string_view text) {
    while (!text.empty()) {
      line_++;
      const std::string_view line = take_line(text);
      if (trim(line).empty()) continue;
      const Json j = Json::parse(line.begin(), line.end(), nullptr, false);
      if (!j.is_object() || !j.contains("type"))
        log_.report_bad(line_, "not a JSON object with a type");
      else
        take(j);
    }
    log_.lines += line_;
  }

 private:
  void take(const Json& j) {
    const std::string type = string(j, "type");
    if (type == "start") {
      log_.cpus = static_cast<int>(std::clamp<int64_t>(integer(j, "cpus", 0), 0, 4096));
      return;
    }
    const int tid = static_cast<int>(integer(j, "tid", 0));
    Event e;
    e.line = e.end_line = line_;
    e.start = integer(j, "start", -1);
    e.duration = integer(j, "duration", -1);
    e.cpu = static_cast<int16_t>(integer(j, "cpu", -1));
    e.task = book_.at(tid);
    note_extra(j, e);
    const std::string_view kept = log_.arena.keep(string(j, "text"));
    const Statement s = parse_statement(kept);
    Task& task = log_.tasks[e.task];
    if (const std::string comm = string(j, "comm"); !comm.empty()) task.name = strings_.intern(comm);
    if (type == "call")
      call(j, e, s);
    else
      other(j, e, s, type, tid);
  }

  void call(const Json& j, Event& e, const Statement& s) {
    std::string name = string(j, "name");
    if (name.empty()) name = s.name;
    if (name.empty()) return log_.report_bad(line_, "a call without a name");
    e.name = strings_.intern(name);
    if (s.form == Form::call || s.form == Form::entry) {
      e.args = s.args;
      if (s.form == Form::entry) e.flags = EV_UNFINISHED;
      set_result(e, s.ret, strings_);
    } else {
      from_fields(j, e);
    }
    log_.events.push_back(e);
    book_.created_by(e, name);
  }

  void from_fields(const Json& j, Event& e) {
    std::string args;
    if (const auto a = j.find("args"); a != j.end() && a->is_array())
      for (const Json& one : *a)
        args += (args.empty() ? "" : ", ") + (one.is_string() ? one.get<std::string>() : one.dump());
    e.args = log_.arena.keep(args);
    const std::string error = string(j, "errno");
    if (const auto ret = j.find("ret"); ret != j.end() && ret->is_number_integer())
      set_result(e, log_.arena.keep(error.empty() ? ret->dump() : "-1 " + error), strings_);
    else if (!error.empty())
      set_result(e, log_.arena.keep("? " + error), strings_);
    else
      e.flags |= EV_UNFINISHED;
  }

  void other(const Json& j, Event& e, const Statement& s, const std::string& type, int tid) {
    if (type == "signal")
      e.type = EventType::signal;
    else if (type == "exit")
      e.type = s.form == Form::killed ? EventType::killed : EventType::exit;
    else if (type == "stop")
      e.type = EventType::stop;
    else if (type == "exec")
      e.type = EventType::exec;
    else
      return log_.report_bad(line_, "unknown type " + type);
    e.name = strings_.intern(s.form == Form::none ? string(j, "name") : std::string(s.name));
    e.args = s.args;
    // An exec that only reports a change of threads has the form of strace's "superseded" line.
    if (e.type == EventType::exec && s.form != Form::superseded) return;
    log_.events.push_back(e);
    if (type == "exit") book_.ended(tid);
    if (s.form == Form::superseded) {
      std::string_view by = s.name;
      int64_t n = 0;
      if (take_number(by, n)) book_.superseded(tid, static_cast<int>(n));
    }
  }

  void note_extra(const Json& j, Event& e) {
    Extra x;
    spans(j, "blocked", x.blocked);
    spans(j, "preempted", x.preempted);
    if (x.blocked.empty() && x.preempted.empty()) return;
    e.extra = static_cast<uint32_t>(log_.extras.size());
    log_.extras.push_back(std::move(x));
  }
  void spans(const Json& j, const char* key, std::vector<Span>& out) {
    const auto it = j.find(key);
    if (it == j.end() || !it->is_array()) return;
    for (const Json& s : *it)
      if (s.is_object())
        out.push_back({strings_.intern(string(s, "on")), integer(s, "from", 0), integer(s, "to", 0)});
  }

  Log& log_;
  Strings& strings_;
  TaskBook book_;
  uint32_t line_ = 0;
};

}  // namespace

bool looks_like_json(std::string_view text) { return trim(text.substr(0, 64)).starts_with('{'); }

void read_json(std::string_view text, Log& log, Strings& strings) {
  log.format = "starryrun JSON";
  JsonReader(log, strings).read(text);
}

}  // namespace starry::diff
