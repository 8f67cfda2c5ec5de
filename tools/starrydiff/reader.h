// Reads logs of any known format.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "event.h"

namespace starry::diff {

// The log cannot be read at all.
struct ReadError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// `path`: a log; or FILE of a set FILE.PID that `strace -ff -o FILE` wrote; "-" is standard input. Lines in
// no known form are noted in Log::bad and skipped. ReadError: no such file, or nothing in it is an event.
Log read_log(const std::string& path, Strings& strings);

// The same from memory (the fuzzer and the tests).
Log read_text(std::string_view text, Strings& strings, const std::string& path = "text");

// The formats. Each adds to `log`; `text` must live as long as the log.
void read_strace(std::string_view text, Log& log, Strings& strings, int file_pid = 0);
void read_json(std::string_view text, Log& log, Strings& strings);
void read_kernel_log(std::string_view text, Log& log, Strings& strings);
bool looks_like_json(std::string_view text);
bool looks_like_kernel_log(std::string_view text);

// Cuts the first line off, without its end.
std::string_view take_line(std::string_view& text);

// Puts what a statement says about the result into the event.
void set_result(Event& e, std::string_view ret, Strings& strings);

}  // namespace starry::diff
