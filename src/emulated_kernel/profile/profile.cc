#include "emulated_kernel/profile/profile.h"

#include <algorithm>
#include <array>
#include <set>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/entry/dispatch.h"
#include "emulated_kernel/entry/missing.h"
#include "emulated_kernel/kernel.h"
#include "emulated_kernel/profile/operands.h"
#include "emulated_kernel/profile/quirks.h"
#include "emulated_kernel/trace/tracer.h"

namespace starry::profile {
namespace {

std::shared_ptr<const Profile> active;
std::array<const CallPolicy*, MAX_SYSCALL> policies;  // of the calls that `governed` serves

bool holds(const Condition& c, const uint64_t args[6], UserMemory& mem) {
  int64_t number = 0;
  if (!load_operand(c.operand, args, mem, number)) return false;
  const bool any =
      std::any_of(c.any.begin(), c.any.end(), [number](const Test& t) { return t.holds(number); });
  return any != c.negated;
}

// Once for each call: ENOSYS is what a kernel developer looks for.
void warn_missing(Task& t) {
  static std::set<int64_t> warned;
  if (kernel().config.quiet || !warned.insert(t.call.nr).second) return;
  klog(LogLevel::warn, "{}[{}]: {} is missing in the profile {} (ENOSYS)", t.name(), t.tid,
       render_call_brief(t), active->name);
}

// The jump table's entry of the calls that the profile has something to say about.
SysResult governed(Task& t, const uint64_t args[6]) {
  const Effect& e = choose(*policies[static_cast<size_t>(t.call.nr)], args, t.mem());
  switch (e.kind) {
    case Effect::Kind::error:
      if (e.value == ENOSYS) warn_missing(t);
      return Error{static_cast<int>(e.value)};
    case Effect::Kind::value:
      return e.value;
    case Effect::Kind::panic:
      return kernel_panic(t, "not in the profile " + active->name);
    case Effect::Kind::emulate:
      break;
  }
  QuirkCall call(t, args, e.quirks);
  for (size_t i = 0; i < std::size(call.args); i++) call.args[i] &= ~e.clear[i];
  return map_error(e, call.emulate());
}

void govern(int nr, const CallPolicy& policy) {
  if (policy.rules.empty() && policy.otherwise.plain()) return;
  policies[static_cast<size_t>(nr)] = &policy;
  replace_syscall(nr, governed);
}

}  // namespace

const Effect& choose(const CallPolicy& policy, const uint64_t args[6], UserMemory& mem) {
  for (const Rule& r : policy.rules) {
    if (std::all_of(r.when.begin(), r.when.end(), [&](const Condition& c) { return holds(c, args, mem); }))
      return r.effect;
  }
  return policy.otherwise;
}

SysResult map_error(const Effect& e, SysResult result) {
  if (result.ok() || result.code() >= ERESTARTSYS) return result;
  for (const ErrorMap& m : e.errors) {
    if (m.from != 0 && m.from != result.code()) continue;
    return m.to == 0 ? SysResult(0) : SysResult(Error{m.to});
  }
  return result;
}

void install(std::shared_ptr<const Profile> p) {
  static CallPolicy fallback;
  active = std::move(p);
  fallback.otherwise = active->fallback;
  for (int nr = 0; nr < MAX_SYSCALL; nr++) {
    auto it = active->calls.find(nr);
    govern(nr, it != active->calls.end() ? it->second : fallback);
  }
}

}  // namespace starry::profile
