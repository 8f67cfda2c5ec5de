// Puts the pieces of many tasks' calls into lines, as `strace -f -o FILE` does: a line is cut with
// " <unfinished ...>" when another task has something to say, and goes on with "<... name resumed>".
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "emulated_kernel/trace/event.h"

namespace starry {

// Where text goes; the tracer writes a file, tests keep a string.
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void write(std::string_view text) = 0;
};

namespace trace {

class LineWriter {
 public:
  LineWriter(TraceSink& sink, const TraceOptions& options) : sink_(sink), options_(options) {}

  // Starts a line for `owner` (whose line may be cut later), ending the open one. `nr`: the call that it
  // belongs to, for -n; -1: none.
  void begin(const void* owner, pid_t tid, uint64_t realtime_ns, int64_t nr = -1);
  // True while `owner`'s line is the open one, i.e. nothing came in between.
  bool is_open(const void* owner) const { return owner != nullptr && owner == open_; }
  void add(std::string_view text);
  // Closes the arguments and the line: ")", padding, "= result".
  void finish_call(std::string_view result);
  void end_line(std::string_view text);
  // Ends the open line, if there is one, as cut off.
  void end_open();
  void flush();

 private:
  void stamp(uint64_t realtime_ns);

  TraceSink& sink_;
  const TraceOptions& options_;
  const void* open_ = nullptr;
  std::string text_;      // of the current line, not written yet
  size_t column_ = 0;     // of the current line, written or not
  uint64_t last_ns_ = 0;  // for -r
};

// "1.234567": seconds with `digits` of the fraction, none: "1".
std::string seconds_text(uint64_t ns, int digits);

}  // namespace trace
}  // namespace starry
