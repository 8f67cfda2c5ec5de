#include <fmt/format.h>

#include "compare_calls.h"
#include "describe.h"
#include "report.h"

namespace starry::diff {
namespace {

std::string log_json(const Log& log) {
  std::string s = fmt::format(
      R"({{"path":{},"format":{},"lines":{},"events":{},"tasks":{},"joined":{},"other_output":{},"bad_lines":{})",
      json_string(log.path), json_string(log.format), log.lines, log.events.size(), log.tasks.size(),
      log.joined, log.output_lines, log.bad_count);
  s += ",\"bad\":[";
  for (size_t i = 0; i < log.bad.size(); i++)
    s += fmt::format(R"({}{{"line":{},"why":{}}})", i > 0 ? "," : "", log.bad[i].line,
                     json_string(log.bad[i].why));
  return s + "]}";
}

std::string event_json(const Log& log, uint32_t event, const Strings& strings) {
  if (event == NONE) return "null";
  const Event& e = log.events[event];
  const std::string_view descriptor = first_descriptor(log, strings, e);
  return fmt::format(R"({{"line":{},"tid":{},"text":{}{}}})", e.line, log.tasks[e.task].tid,
                     json_string(event_text(e, strings)),
                     descriptor.empty() ? "" : ",\"descriptor\":" + json_string(descriptor));
}

std::string divergence_json(const Comparison& c, const Divergence& d, const Strings& strings) {
  std::string s =
      fmt::format(R"({{"kind":{},"call":{},"thread":{},"count":{},"argument":{},"first":{},"second":{})",
                  json_string(kind_text(d.kind)), json_string(divergence_call(c, strings, d)),
                  d.pair == NONE ? "null" : fmt::format("{}", d.pair + 1), d.count,
                  d.arg < 0 ? "null" : fmt::format("{}", d.arg + 1), event_json(*c.a, d.a, strings),
                  event_json(*c.b, d.b, strings));
  if (d.note[0] != '\0') s += fmt::format(",\"note\":{}", json_string(d.note));
  s += fmt::format(",\"counts\":{}", d.counts());
  if (d.timing) s += ",\"not_counted\":\"timing\"";
  if (!d.ignored_by.empty()) s += fmt::format(",\"not_counted\":{}", json_string(d.ignored_by));
  return s + "}";
}

}  // namespace

void report_json(const std::string& path, const std::vector<Comparison>& all, const Strings& strings) {
  OutFile out(path);
  out.write("{\"version\":1,\"comparisons\":[");
  for (size_t i = 0; i < all.size(); i++) {
    const Comparison& c = all[i];
    out.write(fmt::format("{}\n{{\"verdict\":{},\"ending\":{},\"first\":{},\"second\":{},\n",
                          i > 0 ? "," : "", json_string(verdict(c, strings)), json_string(ending(c, strings)),
                          log_json(*c.a), log_json(*c.b)));
    out.write(
        fmt::format("\"matched\":{},\"folded\":{},\"timing\":{},\"natural\":{},\"ignored\":{},"
                    "\"differences\":{},\"by_kind\":{{",
                    c.matched, c.folded, c.timing, c.natural, c.ignored, c.counted));
    for (int k = 0; k < KINDS; k++)
      out.write(fmt::format("{}{}:{}", k > 0 ? "," : "", json_string(kind_text(static_cast<Kind>(k))),
                            c.by_kind[k]));
    out.write(fmt::format("}},\n\"first_divergence\":{},\n\"threads\":[",
                          c.first == NONE ? "null" : divergence_json(c, c.divergences[c.first], strings)));
    for (uint32_t p = 0; p < c.pairs.size(); p++) {
      const PairResult& r = c.pairs[p];
      out.write(
          fmt::format("{}\n{{\"number\":{},\"name\":{},\"tids\":[{},{}],\"differences\":{},\"timing\":{}}}",
                      p > 0 ? "," : "", p + 1, json_string(task_text(c, strings, p)),
                      c.a->tasks[r.tasks.a].tid, c.b->tasks[r.tasks.b].tid, r.counted, r.timing));
    }
    out.write("],\n\"divergences\":[");
    for (size_t d = 0; d < c.divergences.size(); d++) {
      out.write(d > 0 ? ",\n" : "\n");
      out.write(divergence_json(c, c.divergences[d], strings));
    }
    out.write("]}");
  }
  out.write("]}\n");
  out.close();
}

}  // namespace starry::diff
