// -o FILE: where the kernel's strace lines go, and -e trace=: which calls have one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "emulated_kernel/sync/timer.h"
#include "emulated_kernel/trace/line_writer.h"
#include "tracer/options.h"
#include "tracer/owned_fd.h"

namespace starry {

// Appends to a file through a buffer that is written out when it is full and after a moment.
class TraceLog final : public TraceSink {
 public:
  // Creates `path`; "-": standard error. StartError.
  explicit TraceLog(const std::string& path);
  ~TraceLog() override;
  void write(std::string_view text) override;
  void flush();

 private:
  OwnedFd file_;
  std::string path_, buffer_;
  bool incomplete_ = false;  // and said so
  Timer flush_soon_{[this] { flush(); }};
};

// What -s, -t, -T and -e ask for. StartError: a system call or class that does not exist.
TraceOptions trace_options(const Options& options);
// The calls that the expressions of -e select; empty: all. `exprs` without or with "trace=".
std::vector<bool> selected_calls(const std::vector<std::string>& exprs);

}  // namespace starry
