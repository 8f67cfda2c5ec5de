#include "tracer/trace_setup.h"

#include <CLI/CLI.hpp>
#include <climits>
#include <cstdlib>
#include <memory>

#include "emulated_kernel/trace/filter.h"
#include "emulated_kernel/trace/summary.h"
#include "tracer/start_error.h"

namespace starry {
namespace {

using Summary = TraceOptions::Summary;

// "s", "ms", "us", "ns": digits of a fraction of a second. -1: none of them.
int fraction_digits(const std::string& unit) {
  for (const auto& [name, digits] : {std::pair{"s", 0}, {"ms", 3}, {"us", 6}, {"ns", 9}})
    if (unit == name) return digits;
  return -1;
}

void set_stamps(const TraceArguments& a, TraceOptions& o) {
  if (a.stamps > 3) start_error("-t can be given three times at most");
  if (a.stamps > 0) o.stamp = a.stamps == 3 ? TraceOptions::Stamp::EPOCH : TraceOptions::Stamp::CLOCK;
  o.stamp_digits = a.stamps >= 2 ? 6 : 0;
  o.relative = a.relative_times;
  o.duration = a.duration || !a.times.empty();
  if (!a.times.empty()) o.duration_digits = fraction_digits(a.times);
  if (o.duration_digits < 0) start_error("invalid --syscall-times argument: '{}'", a.times);
}

void set_paths(const TraceArguments& a, TraceOptions& o) {
  for (const std::string& path : a.paths) {
    o.paths.push_back(path);
    const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), free);
    if (real != nullptr && path != real.get()) o.paths.emplace_back(real.get());
  }
}

void set_style(const TraceArguments& a, TraceOptions& o) {
  if (a.hex > 2) start_error("-x can be given twice at most");
  o.quotes = a.hex == 0 ? QuoteStyle::C : a.hex == 1 ? QuoteStyle::HEX_UNPRINTABLE : QuoteStyle::HEX;
  if (a.names_style == "raw")
    o.names = XlatStyle::RAW;
  else if (a.names_style == "verbose")
    o.names = XlatStyle::VERBOSE;
  else if (!a.names_style.empty() && a.names_style != "abbrev")
    start_error("invalid -X argument: '{}'", a.names_style);
  o.fd_paths = a.fd_paths > 0;
  o.fd_details = a.fd_paths > 1;
  o.string_limit = a.string_limit;
  if (a.string_limit > static_cast<unsigned>(INT_MAX) / 4)
    start_error("invalid -s argument: '{}'", a.string_limit);
  if (a.column < 0) start_error("invalid -a argument: '{}'", a.column);
  o.column = a.column;
  if (a.verbose) o.abbreviated = CallSet::none();
}

void set_summary(const TraceArguments& a, TraceOptions& o) {
  if (a.summary && a.summary_also) start_error("-c and -C are mutually exclusive");
  if (a.summary) o.summary = Summary::ONLY;
  if (a.summary_also) o.summary = Summary::ALSO;
  if (o.summary == Summary::NONE && (a.wall_clock || !a.sort.empty() || !a.columns.empty()))
    start_error("-w, -S and -U shape the summary of -c or -C: give one of them");
  o.summary_wall_clock = a.wall_clock;
  if (!a.sort.empty()) o.summary_sort = a.sort;
  o.summary_columns = a.columns;
  std::string wrong = trace::Summary::check_sort(o.summary_sort);
  if (wrong.empty() && !a.columns.empty()) wrong = trace::Summary::check_columns(a.columns);
  if (!wrong.empty()) start_error("{}", wrong);
}

}  // namespace

void add_trace_options(CLI::App& app, TraceArguments& a) {
  const std::string log = "Log of system calls (options as in strace)";
  const auto text = [&](const char* flag, std::string& to, const char* help, const char* type) {
    app.add_option(flag, to, help)->type_name(type)->group(log);
  };
  const auto list = [&](const char* flag, std::vector<std::string>& to, const char* help, const char* type) {
    app.add_option(flag, to, help)->type_name(type)->take_all()->allow_extra_args(false)->group(log);
  };
  text("-o", a.file, "Write the log to FILE, or to a command: '|COMMAND'", "FILE");
  app.add_flag("-f", a.follow, "Always on; -ff: a log per thread, FILE.TID")->group(log);
  text("--trace-json", a.json, "One JSON object per call, with times, CPU and waits", "FILE");
  list("-e", a.expressions,
       "trace=SET, signal=SET, status=SET, inject=SET:error=E..., fault=,\n"
       "abbrev=, verbose=, raw=, read=, write=, quiet=",
       "EXPR");
  list("-P", a.paths, "Only calls that access PATH", "PATH");
  app.add_flag("-z", a.successful, "Only calls that succeed")->group(log);
  app.add_flag("-Z", a.failed, "Only calls that fail")->group(log);
  app.add_option("-s", a.string_limit, "Bytes of a string to print (32)")->type_name("N")->group(log);
  app.add_option("-a", a.column, "Column of the result (40)")->type_name("N")->group(log);
  app.add_flag("-v", a.verbose, "Structures in full")->group(log);
  app.add_flag("-x", a.hex, "Strings that are not text in hex; -xx: all strings")->group(log);
  text("-X", a.names_style, "Flags and codes: raw, abbrev or verbose", "STYLE");
  app.add_flag("-y", a.fd_paths, "Paths of descriptors; -yy: sockets and devices too")->group(log);
  app.add_flag("-k", a.stacks, "The call stack after each call")->group(log);
  app.add_flag("-n", a.numbers, "The numbers of calls")->group(log);
  app.add_flag("-t", a.stamps, "Time of day; -tt with microseconds; -ttt since the epoch")->group(log);
  app.add_flag("-r", a.relative_times, "Time since the line before")->group(log);
  app.add_flag("-T", a.duration, "Time spent in each call")->group(log);
  text("--syscall-times", a.times, "The same, in s, ms, us or ns", "UNIT");
  app.add_flag("-c", a.summary, "Only a table: calls, errors, time")->group(log);
  app.add_flag("-C", a.summary_also, "The table besides the log")->group(log);
  text("-S", a.sort, "Sort the table by time, calls, errors, name, min-time, ...", "COLUMN");
  text("-U", a.columns, "Columns of the table", "LIST");
  app.add_flag("-w", a.wall_clock, "Count all the time between entry and exit")->group(log);
}

TraceSetup make_trace_setup(const TraceArguments& a) {
  TraceSetup setup;
  setup.file = a.file;
  setup.json = a.json;
  setup.per_thread = a.follow >= 2;
  TraceOptions& o = setup.options;
  if (a.file.starts_with('!')) setup.file[0] = '|';  // strace has both
  if (setup.file == "|") start_error("-o: no command after '|'");
  set_stamps(a, o);
  set_style(a, o);
  set_summary(a, o);
  set_paths(a, o);
  o.numbers = a.numbers;
  o.stacks = a.stacks;
  o.pids = !setup.per_thread;
  if (a.successful && a.failed) start_error("-z and -Z are mutually exclusive");
  for (const std::string& e : a.expressions) {
    try {
      trace::apply_expression(e, o, setup.injections);
    } catch (const trace::FilterError& error) {
      start_error("-e {}: {}", e, error.what());
    }
  }
  if (a.successful || a.failed) {
    o.statuses = NumberSet::none();
    o.statuses.add(static_cast<int>(a.successful ? CallStatus::SUCCESSFUL : CallStatus::FAILED));
  }
  if (setup.per_thread && setup.file.starts_with('|'))
    start_error("-ff and -o '|COMMAND' are mutually exclusive");
  if (setup.per_thread && setup.file.empty()) start_error("-ff needs -o FILE");
  if (setup.per_thread && o.summary != Summary::NONE) start_error("-ff and -c or -C are mutually exclusive");
  const bool shaped = a.stamps != 0 || o.relative || o.duration || o.numbers || o.stacks || o.fd_paths ||
                      a.verbose || a.hex != 0 || !a.names_style.empty() || !a.paths.empty() || a.successful ||
                      a.failed || a.summary_also || (!a.expressions.empty() && setup.injections.empty());
  if (!setup.active() && shaped) start_error("there is no log: give its file with -o");
  return setup;
}

}  // namespace starry
