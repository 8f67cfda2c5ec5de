// The debug log of the target kernel (StarryOS on ArceOS):
//   [  0.137113 0:6 axstarry::syscall:40] [syscall] id = ARCH_PRCTL, args = [4098, 70353528, 0, 0, 0, 0],
//   entry [  0.138197 0:6 axstarry::syscall:53] [syscall] id = 158, args = [4098, 70353528, 0, 0, 0, 0],
//   return 0
// The bracket holds seconds since boot, CPU and thread. Between the lines is what the programs print, and
// what the kernel says about itself.
#include <fmt/format.h>

#include <cctype>
#include <unordered_map>

#include "calls.h"
#include "lexer.h"
#include "reader.h"
#include "tasks.h"

namespace starry::diff {
namespace {

struct KernelLine {
  int64_t time = 0;
  int cpu = 0, tid = -1;
  std::string_view where, text;
};

bool take_kernel_line(std::string_view line, KernelLine& k) {
  if (!line.starts_with('[')) return false;
  const size_t close = line.find("] ");
  if (close == std::string_view::npos) return false;
  std::string_view s = trim(line.substr(1, close - 1));
  k.text = line.substr(close + 2);
  int64_t seconds = 0, cpu = 0, tid = 0, micro = 0;
  if (!take_number(s, seconds) || seconds > 1'000'000'000 || !s.starts_with('.')) return false;
  s.remove_prefix(1);
  if (!take_number(s, micro) || !s.starts_with(' ')) return false;
  k.time = seconds * 1'000'000'000 + micro * 1000;
  s = trim(s);
  if (!take_number(s, cpu) || cpu > 4096) return false;
  k.cpu = static_cast<int>(cpu);
  if (s.starts_with(':')) {
    s.remove_prefix(1);
    if (!take_number(s, tid) || tid > INT32_MAX) return false;
    k.tid = static_cast<int>(tid);
  }
  k.where = trim(s);
  return true;
}

struct CallLine {
  std::string_view id;
  uint64_t args[6] = {};
  bool entry = false;
  std::string_view ret;
};

bool take_u64(std::string_view& s, uint64_t& v) {
  v = 0;
  size_t i = 0;
  for (; i < s.size() && s[i] >= '0' && s[i] <= '9' && i < 20; i++)
    v = v * 10 + static_cast<uint64_t>(s[i] - '0');
  s.remove_prefix(i);
  return i > 0;
}

bool take_call_line(std::string_view s, CallLine& c) {
  constexpr std::string_view ID = "[syscall] id = ", ARGS = ", args = [";
  if (!s.starts_with(ID)) return false;
  s.remove_prefix(ID.size());
  const size_t mark = s.find(ARGS);
  if (mark == std::string_view::npos) return false;
  c.id = s.substr(0, mark);
  s.remove_prefix(mark + ARGS.size());
  for (uint64_t& a : c.args) {
    if (!take_u64(s, a)) return false;
    if (s.starts_with(", ")) s.remove_prefix(2);
  }
  if (!s.starts_with("], ")) return false;
  s = trim(s.substr(3));
  c.entry = s == "entry";
  if (s.starts_with("return ")) c.ret = s.substr(7);
  return c.entry || !c.ret.empty();
}

// Names of the target kernel that differ from Linux's.
std::string linux_name(std::string_view id) {
  std::string s;
  for (const char c : id) s += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  static const std::unordered_map<std::string_view, std::string_view> other{
      {"sigprocmask", "rt_sigprocmask"}, {"sigaction", "rt_sigaction"},       {"sigreturn", "rt_sigreturn"},
      {"sigsuspend", "rt_sigsuspend"},   {"sigtimedwait", "rt_sigtimedwait"}, {"fstatat", "newfstatat"},
      {"prlimit", "prlimit64"},          {"getdents", "getdents64"}};
  const auto it = other.find(s);
  return it == other.end() ? s : std::string(it->second);
}

class KernelLogReader {
 public:
  KernelLogReader(Log& log, Strings& strings) : log_(log), strings_(strings), book_(log) {}

  void read(std::string_view text) {
    while (!text.empty()) {
      line_++;
      take(take_line(text));
    }
    log_.lines += line_;
  }

 private:
  void take(std::string_view line) {
    // Output without a line end stands before the kernel's bracket.
    if (const size_t at = line.find("[ ");
        at != std::string_view::npos && at > 0 && line.find("[syscall]") != std::string_view::npos)
      line.remove_prefix(at);
    KernelLine k;
    if (!take_kernel_line(line, k)) {
      if (line.find("[syscall]") != std::string_view::npos)
        log_.report_bad(line_, "a call that is cut off");
      else if (panicked_ && !trim(line).empty() && log_.ending.size() < 400)
        log_.ending += " " + std::string(trim(line));
      else if (!trim(line).empty())
        log_.output_lines++;
      return;
    }
    CallLine c;
    if (take_call_line(k.text, c)) {
      if (c.entry)
        entry(k, c);
      else
        returned(k, c);
      return;
    }
    if (k.text.find("panicked") != std::string_view::npos || k.text.find("ault") != std::string_view::npos) {
      panicked_ = true;
      if (log_.ending_line == 0) log_.ending_line = line_;
      if (log_.ending.size() < 400) {
        if (!log_.ending.empty()) log_.ending += "; ";
        log_.ending += trim(k.text);
      }
    } else if (k.text.find("[syscall]") != std::string_view::npos) {
      log_.report_bad(line_, "a call that is cut off");
    } else {
      log_.output_lines++;
    }
  }

  Event make(const KernelLine& k, const CallInfo* info, std::string_view name, const CallLine& c) {
    Event e;
    e.start = k.time;
    e.line = e.end_line = line_;
    e.cpu = static_cast<int16_t>(k.cpu);
    e.task = book_.at(k.tid);
    e.flags = EV_RAW;
    e.name = strings_.intern(name);
    std::string args;
    if (info != nullptr) {
      for (int i = 0; i < info->arg_count; i++) args += (i > 0 ? ", " : "") + decode_raw(*info, i, c.args);
    } else {
      args = fmt::format("{}", fmt::join(c.args, ", "));
    }
    e.args = log_.arena.keep(args);
    return e;
  }

  void entry(const KernelLine& k, const CallLine& c) {
    const std::string name = linux_name(c.id);
    Event e = make(k, call_by_name(name), name, c);
    e.flags |= EV_UNFINISHED;
    open_[k.tid] = {static_cast<uint32_t>(log_.events.size()), c};
    log_.events.push_back(e);
  }

  void returned(const KernelLine& k, const CallLine& c) {
    std::string_view id = c.id;
    uint64_t number = 0;
    const CallInfo* info = take_u64(id, number) ? call_by_number(static_cast<int64_t>(number)) : nullptr;
    const auto it = open_.find(k.tid);
    uint32_t at;
    if (it != open_.end() && std::equal(c.args, c.args + 6, it->second.call.args)) {
      at = it->second.event;
      // The number is certain; the name at entry is the kernel's own.
      if (info != nullptr && strings_[log_.events[at].name] != info->name) {
        const Event again = make(k, info, info->name, c);
        log_.events[at].name = again.name;
        log_.events[at].args = again.args;
      }
      open_.erase(it);
      log_.joined++;
    } else {
      at = static_cast<uint32_t>(log_.events.size());
      log_.events.push_back(make(k, info, info != nullptr ? info->name : c.id, c));
      log_.events[at].flags |= EV_NO_ENTRY;
    }
    Event& e = log_.events[at];
    e.flags &= static_cast<uint16_t>(~EV_UNFINISHED);
    e.end_line = line_;
    e.duration = k.time - e.start;
    set_result(e, result_text(c.ret, info), strings_);
    if (e.has(EV_FAILED) && e.error == 0) e.flags &= static_cast<uint16_t>(~EV_FAILED);
    book_.created_by(e, strings_[e.name]);
  }

  std::string_view result_text(std::string_view ret, const CallInfo* info) {
    std::string_view s = ret;
    const bool negative = s.starts_with('-');
    if (negative) s.remove_prefix(1);
    uint64_t v = 0;
    if (!take_u64(s, v)) return ret;
    if (negative) {
      const std::string_view name = errno_name(static_cast<int64_t>(v));
      return name.empty() ? ret : log_.arena.keep(fmt::format("-1 {}", name));
    }
    if (info != nullptr && info->ret == "PTR") return log_.arena.keep(fmt::format("{:#x}", v));
    return log_.arena.keep(ret);
  }

  struct Open {
    uint32_t event;
    CallLine call;
  };
  Log& log_;
  Strings& strings_;
  TaskBook book_;
  uint32_t line_ = 0;
  bool panicked_ = false;
  std::unordered_map<int, Open> open_;
};

}  // namespace

bool looks_like_kernel_log(std::string_view text) {
  text = text.substr(0, 65536);
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.find("[syscall] id = ") != std::string_view::npos) return true;
  }
  return false;
}

void read_kernel_log(std::string_view text, Log& log, Strings& strings) {
  log.format = "kernel log";
  log.raw = true;
  KernelLogReader(log, strings).read(text);
}

}  // namespace starry::diff
