// The grammar of one strace line. Views point into the line; nothing is allocated.
#pragma once

#include <cstdint>
#include <string_view>

namespace starry::diff {

// What stands before the call: "[pid 12] ", "12 ", a time, "[  59] " (-n), "[00007f...] " (-i).
struct Prefix {
  int pid = 0;                 // 0: none
  int64_t time = -1;           // ns; -1: none
  bool relative = false;       // -r: since the line before
  bool absolute_date = false;  // -ttt: since 1970; otherwise since midnight
};
// Cuts the prefix off `line`.
Prefix take_prefix(std::string_view& line);

enum class Form : uint8_t {
  none,        // nothing that strace writes
  call,        // name(args) = ret
  entry,       // name(args <unfinished ...>
  resumed,     // <... name resumed>args) = ret
  torn,        // name(args and then something else: program output, or the end of the file
  signal,      // --- SIGx {...} ---
  stop,        // --- stopped by SIGx ---
  exit,        // +++ exited with n +++
  killed,      // +++ killed by SIGx +++
  superseded,  // +++ superseded by execve in pid n +++
  stack,       // -k: a frame of the call stack
  notice,      // strace: Process 12 attached
};

struct Statement {
  Form form = Form::none;
  std::string_view name;  // of the call or signal
  std::string_view args;  // between the parentheses; of a signal, exit, ...: the text between the marks
  std::string_view ret;   // what follows "= "; empty: it did not return
  int64_t duration = -1;  // -T, ns
};
// `line` without its prefix.
Statement parse_statement(std::string_view line);

// A result: a number, an errno, or both.
struct Result {
  bool has_number = false;
  int64_t number = 0;
  std::string_view error;  // "ENOENT", "ERESTARTSYS"; empty if it succeeded
  size_t number_end = 0;   // length of the number at the beginning of the text
};
Result parse_result(std::string_view ret);

// Decimal digits at the beginning of `s`; false if there are none or they do not fit.
bool take_number(std::string_view& s, int64_t& n);
std::string_view trim(std::string_view s);

// Where the argument that begins at `from` ends: the index of its comma, or the size of `args`.
size_t argument_end(std::string_view args, size_t from);

}  // namespace starry::diff
