#include "emulated_kernel/base/log.h"

#include <cstdio>
#include <cstdlib>

namespace starry {

namespace {
LogSink sink = nullptr;
LogLevel least = LogLevel::warn;
}  // namespace

void set_log_sink(LogSink s) { sink = s; }
void set_log_level(LogLevel level) { least = level; }
bool log_enabled(LogLevel level) { return sink != nullptr && level >= least; }

void log_line(LogLevel level, std::string_view line) {
  if (sink != nullptr) sink(level, line);
}

void check_failed(const char* what, const char* file, int line) {
  log_line(LogLevel::error, fmt::format("kernel bug: {} is false at {}:{}", what, file, line));
  std::abort();
}

}  // namespace starry
