// What starryrun's command line asks of the log of system calls, and how it is read.
#pragma once

#include <string>
#include <vector>

#include "emulated_kernel/trace/inject.h"
#include "emulated_kernel/trace/trace_options.h"

namespace CLI {
class App;
}

namespace starry {

struct TraceSetup {
  std::string file;         // -o: a file, "-" (standard error), or "|command"; "": no log
  bool per_thread = false;  // -ff: FILE.TID
  std::string json;         // --trace-json
  TraceOptions options;
  Injections injections;

  bool summary_only() const { return options.summary == TraceOptions::Summary::ONLY; }
  // Something is written.
  bool active() const { return !file.empty() || !json.empty() || summary_only(); }
};

// strace's options as they are given, before they are understood.
struct TraceArguments {
  std::string file, json, names_style, sort, columns, times, relative;
  std::vector<std::string> expressions, paths;
  unsigned string_limit = 32;
  int column = 40;
  int stamps = 0, follow = 0, hex = 0, fd_paths = 0;
  bool duration = false, relative_times = false, numbers = false, verbose = false, stacks = false;
  bool successful = false, failed = false, summary = false, summary_also = false, wall_clock = false;
};

// Adds the options to `app`, in a help group of their own.
void add_trace_options(CLI::App& app, TraceArguments& args);
// Checks them against each other. StartError.
TraceSetup make_trace_setup(const TraceArguments& args);

}  // namespace starry
