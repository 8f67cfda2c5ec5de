// Behaviour faults of modelled kernels ("quirks"): what a profile can switch on where an errno or a fixed
// value does not say it. To add one: a row in quirks.def and its function in quirks.cc.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "emulated_kernel/base/result.h"

namespace starry {

class Task;

namespace profile {

struct Quirk;

// The call as a quirk sees it. The trace shows the guest's arguments, whatever happens to `args`.
class QuirkCall {
 public:
  QuirkCall(Task& t, const uint64_t guest_args[6], std::span<const Quirk* const> quirks);
  // What the kernel does with `args` as they are now: the next quirk, in the end the handler.
  SysResult emulate();

  Task& task;
  uint64_t args[6];

 private:
  std::span<const Quirk* const> rest_;
};

struct Quirk {
  const char* name;
  const char* calls;  // that it is made for, separated by blanks
  const char* text;   // what the guest sees
  SysResult (*hook)(QuirkCall& c);

  bool fits(std::string_view call) const;
};

std::span<const Quirk> all_quirks();
const Quirk* find_quirk(std::string_view name);  // nullptr if there is none

}  // namespace profile
}  // namespace starry
