// One self-contained page: page.html with the data in it.
#include <fmt/format.h>

#include <algorithm>

#include "describe.h"
#include "report.h"
#include "timeline.h"

// page.S: the page, and where the data goes.
extern "C" const char starry_diff_page[];
extern "C" const char starry_diff_page_end[];

namespace starry::diff {
namespace {

class HtmlReport {
 public:
  HtmlReport(OutFile& out, const Strings& strings) : out_(out), strings_(strings) {}

  void comparison(const Comparison& c) {
    out_.write(
        fmt::format("{{\"verdict\":{},\"same\":{},\"ending\":{},\"notCounted\":{},\"first\":{},\"second\":{},"
                    "\n\"pairs\":[",
                    json_string(verdict(c, strings_)), c.counted == 0, json_string(ending(c, strings_)),
                    json_string(not_counted(c)), log(*c.a), log(*c.b)));
    for (uint32_t p = 0; p < c.pairs.size(); p++) {
      const PairResult& r = c.pairs[p];
      out_.write(fmt::format("{}\n{{\"name\":{},\"counted\":{},\"timing\":{},\"rows\":[", p > 0 ? "," : "",
                             json_string(task_text(c, strings_, p)), r.counted, r.timing));
      for (size_t k = 0; k < r.rows.size(); k++) row(c, r.rows[k], k == 0);
      out_.write("]}");
    }
    out_.write("],\n\"divergences\":[");
    bool first = true;
    for (uint32_t i = 0; i < c.divergences.size(); i++) {
      const Divergence& d = c.divergences[i];
      out_.write(fmt::format("{}\n[{},{},{},{},{},{}]", first ? "" : ",", static_cast<int>(d.kind),
                             d.pair == NONE ? -1 : static_cast<int64_t>(d.pair),
                             d.row == NONE ? -1 : static_cast<int64_t>(d.row), d.counts() ? 1 : 0,
                             json_string(divergence_text(c, strings_, d)), i == c.first ? 1 : 0));
      first = false;
    }
    out_.write("],\n\"timeline\":");
    lanes(*c.b);
    out_.write("}");
  }

 private:
  static std::string log(const Log& l) {
    return fmt::format(R"({{"path":{},"format":{},"lines":{},"events":{},"bad":{}}})", json_string(l.path),
                       json_string(l.format), l.lines, l.events.size(), l.bad_count);
  }

  // [line a, text a, line b, text b, state, divergence]; a text of 0 is that of the other side.
  void row(const Comparison& c, const Row& r, bool first) {
    const std::string a = text(*c.a, r.a, r.a_count, r.state), b = text(*c.b, r.b, r.b_count, r.state);
    out_.write(fmt::format("{}[{},{},{},{},{},{}]", first ? "" : ",", r.a == NONE ? 0 : c.a->events[r.a].line,
                           a, r.b == NONE ? 0 : c.b->events[r.b].line, a == b ? "0" : b,
                           static_cast<int>(r.state),
                           r.divergence == NONE ? -1 : static_cast<int64_t>(r.divergence)));
  }

  std::string text(const Log& l, uint32_t event, uint32_t count, RowState state) const {
    if (event == NONE) return "\"\"";
    std::string s = event_text(l.events[event], strings_);
    if (state == RowState::folded && count != 1) s += fmt::format("   [{} calls]", count);
    return json_string(fit(s, 2000, false));
  }

  // Only a log that knows CPUs has a timeline worth looking at.
  void lanes(const Log& l) {
    const auto all = l.format == "starryrun JSON" ? timeline(l) : std::vector<std::vector<Stretch>>();
    if (all.empty()) return out_.write("null");
    out_.write("{\"threads\":[");
    bool first = true;
    for (size_t t = 0; t < all.size(); t++) {
      if (all[t].empty()) continue;
      out_.write(fmt::format("{}\n{{\"name\":{},\"spans\":[", first ? "" : ",",
                             json_string(fmt::format("{} {}", strings_[l.tasks[t].name], l.tasks[t].tid))));
      first = false;
      bool begin = true;
      for (const Stretch& s : all[t]) {
        out_.write(fmt::format("{}[{},{},{},{},{}]", begin ? "" : ",", s.from, s.to,
                               static_cast<int>(s.activity), s.cpu, json_string(strings_[s.what])));
        begin = false;
      }
      out_.write("]}");
    }
    int cpus = l.cpus;
    for (const Event& e : l.events) cpus = std::max(cpus, e.cpu + 1);
    out_.write(fmt::format("],\"cpus\":{}}}", cpus));
  }

  OutFile& out_;
  const Strings& strings_;
};

}  // namespace

void report_html(const std::string& path, const std::vector<Comparison>& all, const Strings& strings) {
  const std::string_view page(starry_diff_page, static_cast<size_t>(starry_diff_page_end - starry_diff_page));
  constexpr std::string_view PLACE = "\"DATA\"";
  const size_t at = page.find(PLACE);
  OutFile out(path);
  out.write(page.substr(0, at));
  out.write("[");
  HtmlReport report(out, strings);
  for (size_t i = 0; i < all.size(); i++) {
    if (i > 0) out.write(",\n");
    report.comparison(all[i]);
  }
  out.write("]");
  out.write(page.substr(at + PLACE.size()));
  out.close();
}

}  // namespace starry::diff
