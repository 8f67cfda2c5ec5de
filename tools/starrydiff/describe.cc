#include "describe.h"

#include <fmt/format.h>

#include <algorithm>

#include "lexer.h"

namespace starry::diff {
namespace {

std::string count(uint64_t n, const char* one) { return fmt::format("{} {}{}", n, one, n == 1 ? "" : "s"); }

std::string argument(const Event& e, int index) {
  size_t from = 0;
  for (int k = 0; from <= e.args.size(); k++) {
    const size_t end = argument_end(e.args, from);
    if (k == index) return std::string(trim(e.args.substr(from, end - from)));
    from = end + 1;
  }
  return {};
}

std::string shorter(std::string s, size_t width) { return fit(s, width, false); }

std::string call_text(const Event& e, const Strings& strings) { return shorter(event_text(e, strings), 160); }

std::string lines(const Comparison& c, const Divergence& d) {
  if (d.a != NONE && d.b != NONE)
    return fmt::format("lines {} | {}", c.a->events[d.a].line, c.b->events[d.b].line);
  if (d.a != NONE) return fmt::format("line {} of the first log", c.a->events[d.a].line);
  return fmt::format("line {} of the second log", c.b->events[d.b].line);
}

std::string result(const Event& e, const Strings& strings) {
  if (e.has(EV_UNFINISHED)) return "no return";
  if (e.has(EV_FAILED)) return std::string(strings[e.error]);
  return shorter(std::string(e.ret), 60);
}

}  // namespace

std::string fit(std::string_view text, size_t width, bool pad) {
  std::string out;
  size_t columns = 0;
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (c >= 0x80 && c < 0xc0) n = 1;
    n = std::min(n, text.size() - i);
    if (columns + 1 >= width && (i + n < text.size() || columns + 1 > width)) {
      if (width > 0) out += "~";
      columns++;
      break;
    }
    if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xc0))
      out += '?';
    else
      out.append(text.substr(i, n));
    columns++;
    i += n;
  }
  if (pad && columns < width) out.append(width - columns, ' ');
  return out;
}

std::string task_text(const Comparison& c, const Strings& strings, uint32_t pair) {
  const TaskPair& p = c.pairs[pair].tasks;
  const Task &a = c.a->tasks[p.a], &b = c.b->tasks[p.b];
  std::string_view name = strings[a.name];
  if (name.empty()) name = strings[b.name];
  if (name.empty()) name = "program";
  if (a.tid == 0 && b.tid == 0) return std::string(name);
  const auto tid = [](int n) { return n == 0 ? std::string("-") : std::to_string(n); };
  return fmt::format("{} ({} | {})", name, tid(a.tid), tid(b.tid));
}

std::string_view divergence_call(const Comparison& c, const Strings& strings, const Divergence& d) {
  return strings[d.a != NONE ? c.a->events[d.a].name : c.b->events[d.b].name];
}

std::string divergence_text(const Comparison& c, const Strings& strings, const Divergence& d) {
  const Event* a = d.a != NONE ? &c.a->events[d.a] : nullptr;
  const Event* b = d.b != NONE ? &c.b->events[d.b] : nullptr;
  const Event& e = a != nullptr ? *a : *b;
  const bool call = e.type == EventType::call;
  std::string kind = kind_text(d.kind);
  if (!call && (d.kind == Kind::missing || d.kind == Kind::extra))
    kind = fmt::format("{} {}", d.kind == Kind::missing ? "missing" : "extra",
                       e.type == EventType::signal ? "signal" : "event");
  std::string s;
  if (d.pair == NONE) {
    const Log& log = a != nullptr ? *c.a : *c.b;
    s = fmt::format("{} {}: {} ({} events, first {})",
                    d.kind == Kind::missing ? "missing:" : "extra:", d.note, strings[log.tasks[e.task].name],
                    d.count, call_text(e, strings));
    return s + fmt::format(" ({})", lines(c, d));
  }
  switch (d.kind) {
    case Kind::missing:
    case Kind::extra:
      s = fmt::format("{}: {}", kind, call_text(e, strings));
      if (d.count > 1) s += fmt::format(" and {} more", d.count - 1);
      break;
    case Kind::result:
    case Kind::error:
      if (!call || a == nullptr || b == nullptr)
        s = fmt::format("{}: {}", kind, call_text(e, strings));
      else if (d.arg >= 0)
        s = fmt::format("{}: {}: argument {} is {} instead of {}", kind, strings[e.name], d.arg + 1,
                        shorter(argument(*b, d.arg), 100), shorter(argument(*a, d.arg), 100));
      else
        s = fmt::format("{}: {}: {} instead of {}", kind,
                        shorter(fmt::format("{}({})", strings[e.name], e.args), 120), result(*b, strings),
                        result(*a, strings));
      break;
    case Kind::argument:
      s = fmt::format("{}: {}: argument {} is {} instead of {}", kind, strings[e.name], d.arg + 1,
                      shorter(argument(*b, d.arg), 100), shorter(argument(*a, d.arg), 100));
      break;
    case Kind::order:
      s = fmt::format("{}: {}", kind, call_text(e, strings));
      break;
  }
  if (d.note[0] != '\0') s += fmt::format(" [{}]", d.note);
  return s + fmt::format(" ({})", lines(c, d));
}

std::string verdict(const Comparison& c, const Strings& strings) {
  if (c.counted == 0) {
    std::string s = fmt::format("same: {} agree", count(c.matched, "event"));
    if (!c.b->ending.empty()) s += "; but " + ending(c, strings);
    return s;
  }
  const Divergence& d = c.divergences[c.first];
  std::string where = d.pair != NONE ? task_text(c, strings, d.pair) + ": " : "";
  std::string s = fmt::format("different: {}; first: {}{}", count(c.counted, "difference"), where,
                              divergence_text(c, strings, d));
  // Other calls may have other reasons; the same call with another result is the kernel's doing.
  if (d.kind == Kind::result || d.kind == Kind::error) return s;
  const Divergence* result = nullptr;
  for (const Divergence& x : c.divergences)
    if (x.counts() && (x.kind == Kind::result || x.kind == Kind::error) &&
        (result == nullptr || x.line < result->line))
      result = &x;
  if (result != nullptr) s += "; first result that differs: " + divergence_text(c, strings, *result);
  return s;
}

std::string ending(const Comparison& c, const Strings& strings) {
  if (!c.b->ending.empty()) {
    std::string s =
        fmt::format("the run ended at line {}: {}", c.b->ending_line, fit(c.b->ending, 300, false));
    if (!c.b->events.empty()) {
      // The last that returned: events are in the order in which they began.
      const auto last =
          std::max_element(c.b->events.begin(), c.b->events.end(),
                           [](const Event& x, const Event& y) { return x.end_line < y.end_line; });
      s += fmt::format("; last call: {} (thread {}, line {})", call_text(*last, strings),
                       c.b->tasks[last->task].tid, last->end_line);
    }
    return s;
  }
  if (c.pairs.empty()) return {};
  const TaskPair& p = c.pairs[0].tasks;
  const auto ended = [](const Log& log, uint32_t task) {
    const auto& events = log.tasks[task].events;
    if (events.empty()) return false;
    const EventType t = log.events[events.back()].type;
    return t == EventType::exit || t == EventType::killed;
  };
  if (!ended(*c.a, p.a) || ended(*c.b, p.b)) return {};
  const Event& last = c.b->events[c.b->tasks[p.b].events.back()];
  return fmt::format("{} does not end in the second log; its last call: {} (line {})",
                     task_text(c, strings, 0), call_text(last, strings), last.end_line);
}

std::string not_counted(const Comparison& c) {
  std::string s;
  const auto part = [&](uint64_t n, const char* what) {
    if (n > 0) s += fmt::format("{}{} {}", s.empty() ? "" : ", ", n, what);
  };
  part(c.folded, "folded (waiting, asking, polling)");
  part(c.timing, "by timing");
  part(c.natural, "that vary between native runs");
  part(c.ignored, "by --ignore");
  return s;
}

}  // namespace starry::diff
