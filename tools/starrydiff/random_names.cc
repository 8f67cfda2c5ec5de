#include "random_names.h"

#include <algorithm>
#include <cctype>

namespace starry::diff {
namespace {

// How many characters mkstemp(3) puts in the place of XXXXXX, and Python's tempfile behind its prefix.
constexpr size_t LENGTHS[] = {6, 8};

bool of_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

}  // namespace

bool RandomNames::same(std::string_view a, std::string_view b, bool makes) {
  if (a.size() != b.size()) return false;
  const size_t first = static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
  if (first == a.size()) return true;
  size_t last = a.size() - 1;
  while (a[last] == b[last]) last--;
  // The name ends where a word ends, and what differs lies within its last characters.
  size_t end = last + 1;
  while (end < a.size() && of_name(a[end])) end++;
  for (const size_t length : LENGTHS) {
    if (end < length || first < end - length) continue;
    const std::string x(a.substr(end - length, length)), y(b.substr(end - length, length));
    if (!std::all_of(x.begin(), x.end(), of_name) || !std::all_of(y.begin(), y.end(), of_name)) continue;
    if (makes) bound_[x] = y;
    const auto known = bound_.find(x);
    if (known != bound_.end() && known->second == y) return true;
  }
  return false;
}

}  // namespace starry::diff
