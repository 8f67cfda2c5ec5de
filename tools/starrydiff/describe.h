// Words for what was found; shared by all reports.
#pragma once

#include <string>

#include "compare.h"

namespace starry::diff {

// "MediaServer (1234 | 7)": the name and both thread ids.
std::string task_text(const Comparison& c, const Strings& strings, uint32_t pair);
// "other errno: openat(...): ENOENT, not EACCES (line 12 | 14)".
std::string divergence_text(const Comparison& c, const Strings& strings, const Divergence& d);
// The name of the call or signal that the divergence is about.
std::string_view divergence_call(const Comparison& c, const Strings& strings, const Divergence& d);
// One line: same or different, and what comes first.
std::string verdict(const Comparison& c, const Strings& strings);
// Where and how the second log ends, if it ends before the first does; empty otherwise.
std::string ending(const Comparison& c, const Strings& strings);
// "12 calls folded, ..."; what was seen and not counted.
std::string not_counted(const Comparison& c);
// Text cut to `width` columns (UTF-8); control characters are shown as '?'.
std::string fit(std::string_view text, size_t width, bool pad);

}  // namespace starry::diff
