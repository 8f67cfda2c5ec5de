// starrydiff: where two traces of the same job differ.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cstdlib>

#include "describe.h"
#include "reader.h"
#include "report.h"

namespace {

using namespace starry::diff;

constexpr int SAME = 0, DIFFERENT = 1, TROUBLE = 2;

struct Options {
  std::string first;
  std::vector<std::string> others, also, ignore, keep;
  std::string json, html, perfetto, profile, colour = "auto";
  TextOptions text;
  size_t width = 0;
};

size_t terminal_width() {
  winsize w{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0) return w.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const long n = columns != nullptr ? std::strtol(columns, nullptr, 10) : 0;
  return n > 0 ? static_cast<size_t>(n) : 120;
}

void declare(CLI::App& app, Options& o) {
  app.add_option("FIRST", o.first,
                 "the log to go by, of real Linux as a rule: strace's, also FILE of FILE.PID (-ff)")
      ->required();
  app.add_option("OTHER", o.others,
                 "logs to compare with it: strace's, starryrun's, its JSON, or the target kernel's debug log")
      ->required();
  app.add_option("--also", o.also,
                 "another native log of the same job: what differs between native logs is no difference")
      ->type_name("LOG");
  app.add_option("--ignore", o.ignore,
                 "leave out: NAME, or call=, thread=, errno=, kind=, signal=, text= joined by commas")
      ->type_name("RULE");
  app.add_option("--keep", o.keep,
                 "compare as it stands: pids, addresses, fds, times, random, ports, inodes, folding, timing")
      ->type_name("WHAT")
      ->delimiter(',');
  app.add_option("--thread", o.text.thread,
                 "only this one: its number in the list, or its id in the first log")
      ->type_name("N");
  app.add_option("--context", o.text.context, "lines around the first difference of a thread (default: 3)")
      ->type_name("N");
  app.add_option("--most", o.text.most, "list at most so many other differences per thread (default: 20)")
      ->type_name("N");
  app.add_flag("-q,--quiet", o.text.quiet, "print the verdict only");
  app.add_option("--json", o.json, "write what was found as JSON")->type_name("FILE");
  app.add_option("--html", o.html, "write a page to look at everything in a browser")->type_name("FILE");
  app.add_option("--perfetto", o.perfetto, "write the timeline of the last log for ui.perfetto.dev")
      ->type_name("FILE");
  app.add_option("--profile", o.profile, "write what the last log lacks as a profile for starryrun --config")
      ->type_name("FILE.xml");
  app.add_option("--color", o.colour, "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_option("--width", o.width, "columns of the report; from 140 on the logs stand side by side")
      ->type_name("N");
}

int run(Options& o) {
  Normal normal;
  for (const std::string& what : o.keep) {
    bool* flag = normal.by_name(what);
    if (flag == nullptr) throw ReportError("--keep " + what + ": no such thing");
    *flag = false;
  }
  Rules rules;
  for (const std::string& rule : o.ignore)
    if (std::string why; !rules.add(rule, why)) throw ReportError("--ignore " + rule + ": " + why);

  Strings strings;
  Log first = read_log(o.first, strings);
  std::vector<Log> also, others;
  for (const std::string& path : o.also) also.push_back(read_log(path, strings));
  for (const std::string& path : o.others) others.push_back(read_log(path, strings));

  normalise(first, strings, normal);
  Variation variation;
  for (Log& log : also) {
    normalise(log, strings, normal);
    add_variation(variation, compare(first, log, strings, normal, {}, {}), strings);
  }
  // Keys of a log with numbers only are made of what numbers can tell, on both sides.
  Normal scalar = normal;
  scalar.scalar_keys = true;
  std::vector<Comparison> all;
  Log first_scalar;
  for (Log& log : others) {
    if (log.raw || first.raw) {
      if (first_scalar.events.empty()) {
        first_scalar = read_log(o.first, strings);
        normalise(first_scalar, strings, scalar);
      }
      normalise(log, strings, scalar);
      all.push_back(compare(first_scalar, log, strings, scalar, {}, rules));
    } else {
      normalise(log, strings, normal);
      all.push_back(compare(first, log, strings, normal, variation, rules));
    }
  }

  o.text.colour = o.colour == "always" ||
                  (o.colour == "auto" && isatty(STDOUT_FILENO) && std::getenv("NO_COLOR") == nullptr);
  o.text.width = o.width > 0 ? o.width : terminal_width();
  if (all.size() == 1)
    report_text(stdout, all[0], strings, o.text);
  else
    report_together(stdout, all, strings, o.text);
  if (!o.json.empty()) report_json(o.json, all, strings);
  if (!o.html.empty()) report_html(o.html, all, strings);
  if (!o.perfetto.empty()) report_perfetto(o.perfetto, others.back(), strings);
  if (!o.profile.empty()) report_profile(o.profile, all.back(), strings);
  for (const Comparison& c : all)
    if (c.counted > 0 || !c.b->ending.empty()) return DIFFERENT;
  return SAME;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{
      "Compares traces of system calls and says where they differ first.\n"
      "Exit status: 0 same, 1 different, 2 trouble.",
      "starrydiff"};
  declare(app, o);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : TROUBLE;
  }
  try {
    const int status = run(o);
    if (std::fflush(stdout) != 0) throw ReportError("standard output: cannot be written");
    return status;
  } catch (const std::exception& e) {
    fmt::print(stderr, "starrydiff: {}\n", e.what());
    return TROUBLE;
  }
}
