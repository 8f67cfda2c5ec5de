#include "emulated_kernel/task/script.h"

namespace starry {

namespace {

constexpr std::string_view BLANKS = " \t";

}  // namespace

bool is_script(std::string_view head) { return head.starts_with("#!"); }

Result<ScriptLine> parse_script(std::string_view head) {
  // The file may be shorter than what is looked at; Linux has NULs there, which end a name.
  const bool whole_buffer = head.size() >= SCRIPT_HEAD;
  std::string_view line = head.substr(2);
  const size_t newline = line.find('\n');
  if (newline != std::string_view::npos) {
    line = line.substr(0, newline);
  } else if (whole_buffer) {
    // Without an end of line only a complete interpreter name is good.
    const size_t name = line.find_first_not_of(BLANKS);
    if (name == std::string_view::npos ||
        line.find_first_of(std::string_view(" \t\0", 3), name) == std::string_view::npos)
      return Error{ENOEXEC};
  }
  const size_t last = line.find_last_not_of(BLANKS);
  if (last == std::string_view::npos) return Error{ENOEXEC};
  line = line.substr(line.find_first_not_of(BLANKS), std::string_view::npos);
  line = line.substr(0, line.find_last_not_of(BLANKS) + 1);

  ScriptLine out;
  const size_t name_end = line.find_first_of(std::string_view(" \t\0", 3));
  out.interpreter = line.substr(0, name_end);
  if (out.interpreter.empty()) return Error{ENOEXEC};
  if (name_end == std::string_view::npos || line[name_end] == '\0') return out;
  const size_t arg = line.find_first_not_of(BLANKS, name_end);
  if (arg == std::string_view::npos) return out;
  out.argument = line.substr(arg);
  if (const size_t nul = out.argument.find('\0'); nul != std::string::npos) out.argument.resize(nul);
  out.has_argument = true;
  return out;
}

}  // namespace starry
