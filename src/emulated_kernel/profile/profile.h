// What the modelled kernel has: the rules of a profile (starryrun --config), consulted where a system
// call is dispatched. Calls that no rule names keep their handler in the jump table, so a run without a
// profile, and every call that a profile leaves alone, pay nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/base/result.h"
#include "emulated_kernel/base/user_ptr.h"

namespace starry {

class Task;

namespace profile {

struct Quirk;  // profile/quirks.h

// A number that a rule looks at: an argument, or a member of the structure that an argument points to.
struct Operand {
  uint8_t arg = 0;
  bool in_memory = false;
  uint16_t offset = 0;  // in_memory: of the member
  uint8_t size = 8;     // bytes; smaller numbers are taken as signed
};

// low <= (number & mask) <= high.
struct Test {
  uint64_t mask = ~0ULL;
  int64_t low = 0, high = 0;
  bool holds(int64_t number) const {
    const auto v = static_cast<int64_t>(static_cast<uint64_t>(number) & mask);
    return low <= v && v <= high;
  }
};

struct Condition {
  Operand operand;
  std::vector<Test> any;
  bool negated = false;  // none of them holds
};

struct ErrorMap {
  int from;  // 0: every errno
  int to;    // 0: success, with the value 0
};

// What a call does.
struct Effect {
  enum class Kind : uint8_t {
    emulate,  // what follows in this structure
    error,    // fails with the errno `value`
    value,    // returns `value` and does nothing
    panic,    // the modelled kernel panics: the run ends with a message
  } kind = Kind::emulate;
  int64_t value = 0;
  uint64_t clear[6] = {};            // bits taken out of the arguments first
  std::vector<const Quirk*> quirks;  // the first is outermost
  std::vector<ErrorMap> errors;      // the first that fits; restart codes are left alone
  bool plain() const {
    return kind == Kind::emulate && quirks.empty() && errors.empty() &&
           (clear[0] | clear[1] | clear[2] | clear[3] | clear[4] | clear[5]) == 0;
  }
};

struct Rule {
  std::vector<Condition> when;  // all must hold
  Effect effect;
};

struct CallPolicy {
  std::vector<Rule> rules;  // the first whose conditions hold
  Effect otherwise;
};

struct Profile {
  std::string name;
  std::map<int, CallPolicy> calls;  // by number
  Effect fallback;                  // of every call that is not in `calls`
};

// The effect for a call with these arguments. A member whose memory cannot be read fits no test.
const Effect& choose(const CallPolicy& policy, const uint64_t args[6], UserMemory& mem);

// What `e` makes of a result of the emulated call.
SysResult map_error(const Effect& e, SysResult result);

// From now on system calls follow `p`. Before the first guest runs.
void install(std::shared_ptr<const Profile> p);

}  // namespace profile
}  // namespace starry
