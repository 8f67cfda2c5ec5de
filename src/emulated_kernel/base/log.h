// Kernel log: messages for the user (warnings go to stderr through the platform's sink) and CHECK
// for the kernel's own invariants. Guest mistakes are never CHECKed: they are errno values.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace starry {

enum class LogLevel { debug, info, warn, error };

// Installed by the tracer (or a test). `line` has no newline. Called on the kernel thread.
using LogSink = void (*)(LogLevel, std::string_view line);
void set_log_sink(LogSink sink);
void set_log_level(LogLevel least);
bool log_enabled(LogLevel level);
void log_line(LogLevel level, std::string_view line);

template <class... A>
void klog(LogLevel level, fmt::format_string<A...> f, A&&... a) {
  if (log_enabled(level)) log_line(level, fmt::format(f, std::forward<A>(a)...));
}

[[noreturn]] void check_failed(const char* what, const char* file, int line);
#define CHECK(cond) \
  do {              \
    if (!(cond)) [[unlikely]] ::starry::check_failed(#cond, __FILE__, __LINE__); \
  } while (0)

}  // namespace starry
