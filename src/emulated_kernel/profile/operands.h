// The language in which profiles speak about calls: names of arguments, flags, codes and errors, all from
// the table of system calls and the flag families. Pure; errors are texts for the author of a profile.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "emulated_kernel/abi/flag_families.h"
#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/profile/profile.h"
#include "emulated_kernel/trace/names.h"

namespace starry::profile {

// What names an operand's number can have.
struct Names {
  std::span<const trace::NamedValue> values;
  bool bits;                         // a set of flags; else one value
  uint64_t mask;                     // where the value is
  std::optional<FlagFamily> family;  // that the names are of
};

struct NamedOperand {
  Operand operand;
  std::vector<Names> names;  // none: numbers only
};

// A value or a text for the author.
template <class T>
struct Parsed {
  std::optional<T> value;
  std::string error;
};

// The argument (or member) `name` of a call.
Parsed<NamedOperand> find_operand(const SyscallSpec& call, std::string_view name);

// All arguments and members whose numbers have names.
std::vector<std::pair<std::string, NamedOperand>> named_operands(const SyscallSpec& call);
// The options of a level of setsockopt(2).
std::optional<FlagFamily> option_family(int level);

// The number that `o` stands for in a call; false if its memory cannot be read.
bool load_operand(const Operand& o, const uint64_t args[6], UserMemory& mem, int64_t& out);

// "A", "A,B" (one of), "!A,B" (none of), "A|B" (all these bits), "0x10", "-1", "3..9".
Parsed<Condition> parse_condition(const SyscallSpec& call, std::string_view name, std::string_view text);

// Bits to be taken out of an argument: "ARG" (all of it) or "ARG=FLAG|FLAG". Members are not arguments.
struct ClearedBits {
  uint8_t arg;
  uint64_t bits;
};
Parsed<ClearedBits> parse_cleared(const SyscallSpec& call, std::string_view text);

// "emulate", "panic", "ENOENT", "42", "0x2a".
Parsed<Effect> parse_result(std::string_view text);

// "EPERM" (every error becomes it), "EBADF:EPERM,ECHILD:0".
Parsed<std::vector<ErrorMap>> parse_errors(std::string_view text);

// 0 if there is no such name.
int errno_by_name(std::string_view name);

// Numbers of the calls that "read" or "%network" names; none: unknown.
std::vector<int> calls_named(std::string_view name);

}  // namespace starry::profile
