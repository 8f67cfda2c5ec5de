#include "emulated_kernel/trace/filter.h"

#include <fmt/format.h>
#include <regex.h>
#include <strings.h>

#include <charconv>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

#include "emulated_kernel/abi/syscall_classes.h"
#include "emulated_kernel/trace/names.h"

namespace starry::trace {
namespace {

template <class... A>
[[noreturn]] void fail(fmt::format_string<A...> format, A&&... a) {
  throw FilterError(fmt::format(format, std::forward<A>(a)...));
}

bool parse_number(std::string_view text, int64_t& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && ec == std::errc() && end == text.data() + text.size();
}

// Calls show(item) for each part of a list.
void split(std::string_view list, char separator, const std::function<void(std::string_view)>& show) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(separator), list.size());
    if (end != 0) show(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

// Takes the '!'s off; true if an odd number of them.
bool take_negation(std::string_view& list) {
  bool negated = false;
  while (list.starts_with('!')) {
    negated = !negated;
    list.remove_prefix(1);
  }
  return negated;
}

template <class F>
bool add_where(CallSet& set, F&& wanted) {
  bool found = false;
  for (int nr = 0; nr < MAX_SYSCALL; ++nr) {
    const SyscallSpec& spec = syscall_spec(nr);
    if (spec.name == nullptr || !wanted(spec)) continue;
    set.add(nr);
    found = true;
  }
  return found;
}

bool add_matching(CallSet& set, const std::string& pattern) {
  regex_t re;
  if (const int rc = regcomp(&re, pattern.c_str(), REG_EXTENDED | REG_NOSUB); rc != 0) {
    char text[256];
    regerror(rc, &re, text, sizeof text);
    fail("regcomp: {}: {}", pattern, text);
  }
  const bool found =
      add_where(set, [&](const SyscallSpec& s) { return regexec(&re, s.name, 0, nullptr, 0) == 0; });
  regfree(&re);
  return found;
}

// One element of a list of calls. False: there is nothing of that name.
bool add_calls(CallSet& set, std::string_view element) {
  int64_t nr = 0;
  if (parse_number(element, nr)) {
    if (nr < 0 || nr >= MAX_SYSCALL || syscall_spec(nr).name == nullptr) return false;
    set.add(nr);
    return true;
  }
  if (element.starts_with('/')) return add_matching(set, std::string(element.substr(1)));
  if (const uint32_t bits = syscall_class_by_name(element); bits != 0)
    return add_where(set, [bits](const SyscallSpec& s) { return (s.classes & bits) != 0; });
  return add_where(set, [&](const SyscallSpec& s) { return element == s.name; });
}

using NumberOf = std::function<int(std::string_view)>;  // -1: no such thing

NumberSet parse_numbers(std::string_view list, const char* what, const NumberOf& number_of) {
  const std::string whole(list);
  NumberSet set;
  const bool negated = take_negation(list);
  if (list == "all") {
    set = NumberSet::all();
  } else if (list != "none") {
    split(list, ',', [&](std::string_view element) {
      const int n = number_of(element);
      if (n < 0) fail("invalid {} '{}'", what, element);
      set.add(n);
    });
    if (set.empty()) fail("invalid {} '{}'", what, whole);
  }
  return negated ? ~set : set;
}

int index_of(std::string_view name, std::span<const std::pair<const char*, int>> names) {
  for (const auto& [n, value] : names)
    if (name == n) return value;
  return -1;
}

int signal_number(std::string_view text) {
  constexpr int LAST = 64;
  int64_t n = 0;
  if (parse_number(text, n)) return n >= 0 && n <= LAST ? static_cast<int>(n) : -1;
  for (int signo = 1; signo <= LAST; ++signo) {
    const std::string name = signal_name(signo);
    for (const std::string& form : {name, name.substr(3)})
      if (form.size() == text.size() && strncasecmp(form.c_str(), text.data(), text.size()) == 0)
        return signo;
  }
  return -1;
}

int errno_number(std::string_view text) {
  constexpr int MAX_ERRNO = 4095, LAST_NAMED = 200;
  int64_t n = 0;
  if (parse_number(text, n)) return n >= 1 && n <= MAX_ERRNO ? static_cast<int>(n) : -1;
  const std::string name(text);
  for (int e = 1; e < LAST_NAMED; ++e) {
    const std::string full = error_text(e);
    if (strcasecmp(full.substr(0, full.find(' ')).c_str(), name.c_str()) == 0) return e;
  }
  return -1;
}

int descriptor_number(std::string_view text) {
  int64_t n = 0;
  return parse_number(text, n) && n >= 0 && n <= INT32_MAX ? static_cast<int>(n) : -1;
}

int status_number(std::string_view text) {
  static constexpr std::pair<const char*, int> NAMES[] = {
      {"successful", static_cast<int>(CallStatus::SUCCESSFUL)},
      {"failed", static_cast<int>(CallStatus::FAILED)},
      {"unfinished", static_cast<int>(CallStatus::UNFINISHED)},
      {"unavailable", static_cast<int>(CallStatus::UNAVAILABLE)},
      {"detached", static_cast<int>(CallStatus::DETACHED)}};
  return index_of(text, NAMES);
}

int quiet_number(std::string_view text) {
  static constexpr std::pair<const char*, int> NAMES[] = {
      {"attach", static_cast<int>(Quiet::ATTACH)},
      {"exit", static_cast<int>(Quiet::EXIT)},
      {"exits", static_cast<int>(Quiet::EXIT)},
      {"path-resolution", static_cast<int>(Quiet::PATH_RESOLUTION)},
      {"personality", static_cast<int>(Quiet::PERSONALITY)},
      {"superseded", static_cast<int>(Quiet::SUPERSEDED)},
      {"thread-execve", static_cast<int>(Quiet::SUPERSEDED)}};
  return index_of(text, NAMES);
}

// "1000" (microseconds), "1.5s", "20ms", "5us", "7ns". False if it is none of these.
bool parse_delay(std::string_view text, uint64_t& ns) {
  double n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  static constexpr std::pair<const char*, double> UNITS[] = {
      {"", 1e3}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
  constexpr double LONGEST = 1e18;
  for (const auto& [name, factor] : UNITS) {
    if (ec != std::errc() || unit != name || n < 0 || n * factor > LONGEST) continue;
    ns = static_cast<uint64_t>(n * factor);
    return true;
  }
  return false;
}

// "F", "F+", "F+S", "F..L", "F..L+S"
bool parse_when(std::string_view text, Injection& i) {
  constexpr int64_t MAX = 0xffff;
  const size_t plus = text.find('+');
  const bool repeats = plus != std::string_view::npos;
  int64_t first = 0, last = 0, step = 1;
  if (repeats && plus + 1 < text.size() &&
      (!parse_number(text.substr(plus + 1), step) || step < 1 || step > MAX))
    return false;
  std::string_view range = text.substr(0, plus);
  const size_t dots = range.find("..");
  if (!parse_number(range.substr(0, dots), first) || first < 1 || first > MAX) return false;
  i.first = static_cast<uint32_t>(first);
  i.last = Injection::ENDLESS;
  i.step = static_cast<uint32_t>(repeats || dots != std::string_view::npos ? step : 0);
  if (dots == std::string_view::npos) return true;
  if (!parse_number(range.substr(dots + 2), last) || last < first || last >= MAX) return false;
  i.last = static_cast<uint32_t>(last);
  return true;
}

bool parse_retval(std::string_view text, int64_t& value) {
  const std::string s(text);
  char* end = nullptr;
  errno = 0;
  value = static_cast<int64_t>(strtoull(s.c_str(), &end, 0));
  return !s.empty() && *end == '\0' && errno == 0;
}

// One ":key=value" of an inject expression.
bool parse_injection_part(std::string_view part, bool faults_only, Injection& i) {
  const size_t eq = part.find('=');
  if (eq == std::string_view::npos) return false;
  const std::string_view key = part.substr(0, eq), value = part.substr(eq + 1);
  if (key == "when") return parse_when(value, i);
  if (key == "syscall") {
    const SyscallSpec* spec = syscall_by_name(std::string(value).c_str());
    if (spec == nullptr || (spec->classes & C_PURE) == 0 || i.instead >= 0) return false;
    i.instead = spec->nr;
    return true;
  }
  if (key == "error") {
    const int e = errno_number(value);
    if (e < 0 || i.tampers()) return false;
    i.error = e;
    return true;
  }
  if (faults_only) return false;
  if (key == "retval") {
    int64_t v = 0;
    if (i.tampers() || !parse_retval(value, v)) return false;
    i.value = v;
    return true;
  }
  if (key == "signal") {
    if (i.signal != 0) return false;
    i.signal = signal_number(value);
    return i.signal > 0;
  }
  if (key == "delay_enter") return i.delay_enter_ns == 0 && parse_delay(value, i.delay_enter_ns);
  if (key == "delay_exit") return i.delay_exit_ns == 0 && parse_delay(value, i.delay_exit_ns);
  if (key == "poke_enter" || key == "poke_exit") fail("{}: pokes are not available in this version", key);
  return false;
}

void add_injection(std::string_view text, bool faults_only, Injections& injections) {
  const auto invalid = [&] { fail("invalid {} argument '{}'", faults_only ? "fault" : "inject", text); };
  auto injection = std::make_shared<Injection>();
  const size_t colon = std::min(text.find(':'), text.size());
  bool good = true;
  split(text.substr(colon), ':',
        [&](std::string_view part) { good = good && parse_injection_part(part, faults_only, *injection); });
  if (!good) invalid();
  const bool acts = injection->tampers() || injection->signal != 0 || injection->delay_enter_ns != 0 ||
                    injection->delay_exit_ns != 0;
  if (!acts && !faults_only) invalid();
  if (!acts) injection->error = ENOSYS;
  const CallSet calls = parse_calls(text.substr(0, colon));
  for (int nr = 0; nr < MAX_SYSCALL; ++nr)
    if (calls.has(nr)) injections[nr] = injection;
}

}  // namespace

CallSet parse_calls(std::string_view list) {
  const std::string whole(list);
  const bool negated = take_negation(list);
  CallSet set;
  if (list == "all") {
    set = CallSet::all();
  } else if (list != "none") {
    bool any = false;
    split(list, ',', [&](std::string_view element) {
      bool optional = false;
      const std::string_view named = element;
      while (element.starts_with('?')) {
        optional = true;
        element.remove_prefix(1);
      }
      if (!add_calls(set, element) && !optional) fail("invalid system call '{}'", named);
      any = true;
    });
    if (!any) fail("invalid system call '{}'", whole);
  }
  return negated ? ~set : set;
}

void apply_expression(const std::string& expr, TraceOptions& o, Injections& injections) {
  const size_t eq = expr.find('=');
  const std::string key = eq == std::string::npos ? "" : expr.substr(0, eq);
  const std::string_view value = eq == std::string::npos ? "" : std::string_view(expr).substr(eq + 1);
  const auto is = [&](std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(), [&](const char* n) { return key == n; });
  };
  if (is({"trace", "t"}))
    o.calls = parse_calls(value);
  else if (is({"abbrev", "a"}))
    o.abbreviated = parse_calls(value);
  else if (is({"verbose", "v"}))
    o.decoded = parse_calls(value);
  else if (is({"raw", "x"}))
    o.raw = parse_calls(value);
  else if (is({"signal", "signals", "s"}))
    o.signals = parse_numbers(value, "signal", signal_number);
  else if (is({"status"}))
    o.statuses = parse_numbers(value, "status", status_number);
  else if (is({"quiet", "silent", "silence", "q"}))
    o.quiet = parse_numbers(value, "quiet", quiet_number);
  else if (is({"read", "reads", "r"}))
    o.dump_reads = parse_numbers(value, "descriptor", descriptor_number);
  else if (is({"write", "writes", "w"}))
    o.dump_writes = parse_numbers(value, "descriptor", descriptor_number);
  else if (is({"inject"}))
    add_injection(value, false, injections);
  else if (is({"fault"}))
    add_injection(value, true, injections);
  else if (is({"kvm", "decode-fd", "decode-fds", "decode-pid", "decode-pids", "secontext"}))
    fail("-e {}= is not available in this version", key);
  else
    o.calls = parse_calls(expr);
}

}  // namespace starry::trace
