#include <fmt/format.h>

#include <algorithm>

#include "describe.h"
#include "report.h"

namespace starry::diff {
namespace {

class TextReport {
 public:
  TextReport(std::FILE* out, const Comparison& c, const Strings& strings, const TextOptions& o)
      : out_(out), c_(c), strings_(strings), o_(o) {}

  void run() {
    print("{}\n", paint(c_.counted == 0 ? GREEN : RED, verdict(c_, strings_)));
    if (const std::string end = ending(c_, strings_); !end.empty() && c_.counted > 0)
      print("{}\n", paint(RED, end));
    if (o_.quiet) return;
    print("\n");
    log_line("first", *c_.a);
    log_line("second", *c_.b);
    if (const std::string s = not_counted(c_); !s.empty()) print("not counted: {}\n", s);
    outside("first", *c_.a, c_.outside_a, *c_.b);
    outside("second", *c_.b, c_.outside_b, *c_.a);
    overview();
    for (uint32_t p = 0; p < c_.pairs.size(); p++)
      if (c_.pairs[p].counted > 0 && wanted(p)) thread(p);
    if (o_.thread < 0) whole_tasks();
  }

 private:
  static constexpr const char *RED = "31", *GREEN = "32", *YELLOW = "33", *DIM = "2", *BOLD = "1";

  template <typename... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    const std::string s = fmt::format(format, std::forward<Args>(args)...);
    std::fwrite(s.data(), 1, s.size(), out_);
  }
  std::string paint(const char* colour, const std::string& s) const {
    return o_.colour ? fmt::format("\033[{}m{}\033[0m", colour, s) : s;
  }

  bool wanted(uint32_t pair) const {
    return o_.thread < 0 || o_.thread == static_cast<int>(pair) + 1 ||
           o_.thread == c_.a->tasks[c_.pairs[pair].tasks.a].tid;
  }

  void log_line(const char* which, const Log& log) {
    print("{}: {} ({}, {} lines, {} events, {} tasks", which, log.path, log.format, log.lines,
          log.events.size(), log.tasks.size());
    if (log.joined > 0) print(", {} calls joined from halves", log.joined);
    if (log.output_lines > 0) print(", {} lines of other output", log.output_lines);
    print(")\n");
    if (log.bad_count == 0) return;
    print("{}\n", paint(YELLOW, fmt::format("{} lines skipped: in no known form", log.bad_count)));
    for (size_t i = 0; i < log.bad.size() && i < 5; i++)
      print("  line {}: {}\n", log.bad[i].line, log.bad[i].why);
    if (log.bad_count > 5) print("  ...\n");
  }

  void outside(const char* which, const Log& log, const std::vector<uint32_t>& tasks, const Log& other) {
    if (tasks.empty()) return;
    print("{} tasks of the {} log are outside the program that both show{}:", tasks.size(), which,
          other.first_task_only ? " (the other log was made without -f)" : "");
    for (size_t i = 0; i < tasks.size() && i < 8; i++) print(" {}", log.tasks[tasks[i]].tid);
    print("{}\n", tasks.size() > 8 ? " ..." : "");
  }

  void overview() {
    if (c_.pairs.size() < 2 && c_.only_a.empty() && c_.only_b.empty()) return;
    print("\n{:>4}  {:<34} {:>9} {:>9} {:>12} {:>9}\n", "", "thread (first | second)", "events", "events",
          "differences", "by chance");
    for (uint32_t p = 0; p < c_.pairs.size(); p++) {
      const PairResult& r = c_.pairs[p];
      const std::string line =
          fmt::format("{:>4}  {} {:>9} {:>9} {:>12} {:>9}", p + 1, fit(task_text(c_, strings_, p), 34, true),
                      c_.a->tasks[r.tasks.a].events.size() - r.tasks.a_from,
                      c_.b->tasks[r.tasks.b].events.size() - r.tasks.b_from, r.counted, r.timing);
      print("{}\n", r.counted > 0 ? paint(YELLOW, line) : line);
    }
  }

  void thread(uint32_t p) {
    const PairResult& r = c_.pairs[p];
    print("\n{}\n", paint(BOLD, fmt::format("{}. {}: {} difference{}", p + 1, task_text(c_, strings_, p),
                                            r.counted, r.counted == 1 ? "" : "s")));
    const Divergence& first = c_.divergences[r.first];
    print("first: {}\n", divergence_text(c_, strings_, first));
    if (first.row != NONE) context(r, first.row);
    const std::vector<uint32_t> others = ranked(c_, p);
    if (others.empty()) return;
    print("others:\n");
    for (size_t i = 0; i < others.size() && i < o_.most; i++)
      print("  {}\n", divergence_text(c_, strings_, c_.divergences[others[i]]));
    if (others.size() > o_.most) print("  ... and {} more\n", others.size() - o_.most);
  }

  void whole_tasks() {
    const std::vector<uint32_t> tasks = ranked(c_, NONE);
    if (!tasks.empty()) print("\n");
    for (const uint32_t i : tasks) print("{}\n", divergence_text(c_, strings_, c_.divergences[i]));
  }

  std::string side(const Log& log, uint32_t event, uint32_t count, RowState state) const {
    if (event == NONE) return {};
    std::string s = fmt::format("{:>6} {}", log.events[event].line, event_text(log.events[event], strings_));
    if (state == RowState::folded && count != 1) s += fmt::format("  [{} calls]", count);
    return s;
  }

  void context(const PairResult& r, uint32_t row) {
    const uint32_t from = row > o_.context ? row - o_.context : 0;
    const auto to = std::min<size_t>(r.rows.size(), size_t{row} + o_.context + 1);
    for (size_t k = from; k < to; k++) {
      const Row& w = r.rows[k];
      const std::string a = side(*c_.a, w.a, w.a_count, w.state), b = side(*c_.b, w.b, w.b_count, w.state);
      const bool different = w.state == RowState::different;
      const char* colour = different ? RED : w.state == RowState::same ? "0" : DIM;
      if (o_.width >= SIDE_BY_SIDE) {
        const size_t half = (o_.width - 5) / 2;
        const char* mark = !different ? " " : w.a == NONE ? ">" : w.b == NONE ? "<" : "|";
        print("{}\n", paint(colour, fmt::format("{} {} {}", fit(a, half, true), mark, fit(b, half, false))));
      } else if (different) {
        if (w.a != NONE) print("{}\n", paint(RED, "- " + fit(a, std::max<size_t>(o_.width, 40) - 2, false)));
        if (w.b != NONE)
          print("{}\n", paint(GREEN, "+ " + fit(b, std::max<size_t>(o_.width, 40) - 2, false)));
      } else {
        print("{}\n",
              paint(colour, "  " + fit(w.a != NONE ? a : b, std::max<size_t>(o_.width, 40) - 2, false)));
      }
    }
  }

  std::FILE* out_;
  const Comparison& c_;
  const Strings& strings_;
  const TextOptions& o_;
};

}  // namespace

void report_text(std::FILE* out, const Comparison& c, const Strings& strings, const TextOptions& options) {
  TextReport(out, c, strings, options).run();
}

void report_together(std::FILE* out, const std::vector<Comparison>& all, const Strings& strings,
                     const TextOptions& options) {
  for (size_t i = 0; i < all.size(); i++) {
    fmt::print(out, "{}=== {} ===\n", i > 0 ? "\n" : "", all[i].b->path);
    report_text(out, all[i], strings, options);
  }
  if (all.size() < 2 || options.quiet) return;
  // What only the last log has: there the others agree with the first.
  const Comparison& last = all.back();
  fmt::print(out, "\nonly in {}:\n", last.b->path);
  uint32_t shown = 0, only = 0;
  for (const Divergence& d : last.divergences) {
    if (!d.counts() || d.a == NONE) continue;
    bool elsewhere = false;
    for (size_t i = 0; i + 1 < all.size() && !elsewhere; i++)
      elsewhere = std::any_of(all[i].divergences.begin(), all[i].divergences.end(),
                              [&](const Divergence& e) { return e.counts() && e.a == d.a; });
    if (elsewhere) continue;
    only++;
    if (shown++ < options.most) fmt::print(out, "  {}\n", divergence_text(last, strings, d));
  }
  fmt::print(out, "  {} differences\n", only);
}

}  // namespace starry::diff
