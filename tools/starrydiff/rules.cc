#include "rules.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>

namespace starry::diff {
namespace {
constexpr std::array KEYS{"call", "thread", "errno", "text", "kind", "signal"};
constexpr std::array KIND_NAMES{"missing", "extra", "result", "errno", "argument", "order"};
bool matches(const std::string& pattern, const std::string& text) {
  return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}
}  // namespace

bool Rules::add(const std::string& rule, std::string& why) {
  Rule r;
  r.text = rule;
  for (size_t from = 0; from <= rule.size();) {
    const size_t end = std::min(rule.find(',', from), rule.size());
    const std::string part = rule.substr(from, end - from);
    from = end + 1;
    const size_t eq = part.find('=');
    const std::string key = eq == std::string::npos ? "call" : part.substr(0, eq);
    const std::string value = eq == std::string::npos ? part : part.substr(eq + 1);
    if (std::find(KEYS.begin(), KEYS.end(), key) == KEYS.end()) {
      why = "no such condition: " + key;
      return false;
    }
    if (value.empty()) {
      why = "empty condition";
      return false;
    }
    if (key == "kind" && std::find(KIND_NAMES.begin(), KIND_NAMES.end(), value) == KIND_NAMES.end()) {
      why = "no such kind of difference: " + value;
      return false;
    }
    r.conditions.emplace_back(key, value);
  }
  rules_.push_back(std::move(r));
  return true;
}

const std::string* Rules::match(const RuleFacts& f) const {
  for (const Rule& r : rules_) {
    const bool all = std::all_of(r.conditions.begin(), r.conditions.end(), [&](const auto& c) {
      const auto& [key, value] = c;
      if (key == "call") return !f.is_signal && matches(value, f.call);
      if (key == "signal") return f.is_signal && matches(value, f.call);
      if (key == "thread") return matches(value, f.thread);
      if (key == "errno") return matches(value, f.error_a) || matches(value, f.error_b);
      if (key == "kind") return value == f.kind;
      return matches("*" + value + "*", f.text_a) || matches("*" + value + "*", f.text_b);
    });
    if (all) return &r.text;
  }
  return nullptr;
}

}  // namespace starry::diff
