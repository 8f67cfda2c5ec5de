// --ignore RULE: conditions joined by commas; all must hold.
//   NAME              the call, a shell pattern ("futex", "sched_*")
//   call=PATTERN thread=PATTERN errno=PATTERN text=PATTERN (anywhere in the line)
//   kind=missing|extra|result|errno|argument|order   signal=PATTERN
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace starry::diff {

struct RuleFacts {
  std::string call, thread, error_a, error_b, text_a, text_b, kind;
  bool is_signal = false;
};

class Rules {
 public:
  // False if it is not a rule; `why` says what is wrong.
  bool add(const std::string& rule, std::string& why);
  // The rule that holds, or nullptr.
  const std::string* match(const RuleFacts& f) const;
  bool empty() const { return rules_.empty(); }

 private:
  struct Rule {
    std::string text;
    std::vector<std::pair<std::string, std::string>> conditions;
  };
  std::vector<Rule> rules_;
};

}  // namespace starry::diff
