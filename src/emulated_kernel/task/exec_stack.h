// The first stack of a program: strings, auxiliary vector, environment, arguments (System V ABI,
// "Initial Process Stack"; the order of everything as Linux has it).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace starry {

struct StackInput {
  uint64_t top = 0;  // page-aligned end of the stack
  std::vector<std::string> argv, envp;
  std::string execfn;                               // AT_EXECFN
  uint8_t random[16] = {};                          // AT_RANDOM
  std::vector<std::pair<uint64_t, uint64_t>> auxv;  // AT_* in order; the values of AT_RANDOM,
                                                    // AT_EXECFN and AT_PLATFORM are filled in
};

struct StackImage {
  uint64_t sp = 0;             // 16-byte aligned; argc is there
  std::vector<uint8_t> bytes;  // [sp, top)
  uint64_t arg_start = 0, arg_end = 0, env_start = 0, env_end = 0;
  std::vector<uint8_t> auxv;  // with AT_NULL
};

StackImage build_stack(const StackInput& in);

}  // namespace starry
