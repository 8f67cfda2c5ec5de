// Names of files that programs make up by chance, as mkstemp(3), mkdtemp(3) and Python's tempfile do.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

namespace starry::diff {

class RandomNames {
 public:
  // Are the paths the same but for one such name? `makes`: they are those of files that come into being,
  // which binds the names to each other; elsewhere only what is bound is the same.
  bool same(std::string_view a, std::string_view b, bool makes);

 private:
  std::unordered_map<std::string, std::string> bound_;
};

}  // namespace starry::diff
