// Interpreter files: the `#!` line (execve(2), "Interpreter scripts").
#pragma once

#include <string>
#include <string_view>

#include "emulated_kernel/base/result.h"

namespace starry {

inline constexpr size_t SCRIPT_HEAD = 256;  // how much of a file is looked at
inline constexpr int MAX_INTERPRETERS = 5;  // nesting

struct ScriptLine {
  std::string interpreter;
  std::string argument;  // everything after the interpreter, one argument
  bool has_argument = false;
};

bool is_script(std::string_view head);
// `head` is the beginning of the file, at most SCRIPT_HEAD bytes. ENOEXEC if there is no interpreter or
// its name does not fit.
Result<ScriptLine> parse_script(std::string_view head);

}  // namespace starry
