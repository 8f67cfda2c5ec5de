// What a profile says about single files, mostly of /proc and /sys: missing, or with other contents.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "emulated_kernel/base/result.h"
#include "vfs/path.h"

namespace starry {

struct FileRule {
  // Absolute, as the guest's tree has it; "*" stands for any one component. "/proc/self/..." means every
  // process's file, as /proc/self is a link.
  std::string path;
  int error = 0;                       // what every use of the name gives; ENOENT: it does not exist
  std::optional<std::string> content;  // of a read-only file in its place
  std::optional<uint64_t> size;        // its st_size; without `content` it still reads as before
};

// For all walks from now on. Directories go on listing the names.
void set_file_rules(std::vector<FileRule> rules);

namespace file_rules_detail {
extern bool active;
Result<void> apply(Path& found);
}  // namespace file_rules_detail

// A walk has come to `found`, which is not negative: what the rules make of it.
inline Result<void> apply_file_rules(Path& found) {
  if (!file_rules_detail::active) [[likely]]
    return {};
  return file_rules_detail::apply(found);
}

}  // namespace starry
