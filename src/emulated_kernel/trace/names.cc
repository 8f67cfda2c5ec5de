#include "emulated_kernel/trace/names.h"

#include <fmt/format.h>
#include <string.h>

#include <iterator>

#include "emulated_kernel/base/result.h"

namespace starry::trace {
namespace {

// The families' values, one array each.
#define FAMILY(name, unknown) constexpr NamedValue name##_values[] = {
#define FLAG(name, value) {#name, value},
#define END_FAMILY \
  }                \
  ;
#include "emulated_kernel/abi/flags/all.def"
#undef FAMILY
#undef FLAG
#undef END_FAMILY

struct FamilyInfo {
  const char* unknown;
  std::span<const NamedValue> values;
};

constexpr FamilyInfo FAMILIES[] = {
#define FAMILY(name, unknown) {unknown, name##_values},
#define FLAG(name, value)
#define END_FAMILY
#include "emulated_kernel/abi/flags/all.def"
#undef FAMILY
#undef FLAG
#undef END_FAMILY
};

const FamilyInfo& info(FlagFamily family) { return FAMILIES[static_cast<size_t>(family)]; }

void append_unknown(std::string& out, FlagFamily family, uint64_t value) {
  if (value == 0)
    out += '0';
  else
    fmt::format_to(std::back_inserter(out), "{:#x}", value);
  if (info(family).unknown[0] != '\0')
    fmt::format_to(std::back_inserter(out), " /* {} */", info(family).unknown);
}

// Names of the bits of `value` that the family knows, joined with '|'; returns the bits left over.
uint64_t append_known(std::string& out, FlagFamily family, uint64_t value, bool& first) {
  for (const NamedValue& v : family_values(family)) {
    auto bits = static_cast<uint64_t>(v.value);
    if (bits == 0 || (value & bits) != bits) continue;
    if (!first) out += '|';
    out += v.name;
    first = false;
    value &= ~bits;
  }
  return value;
}

}  // namespace

std::span<const NamedValue> family_values(FlagFamily family) { return info(family).values; }

const char* value_name(FlagFamily family, int64_t value) {
  for (const NamedValue& v : family_values(family))
    if (v.value == value) return v.name;
  return nullptr;
}

uint64_t append_flags(std::string& out, FlagFamily family, uint64_t value) {
  if (value == 0) {
    const char* zero = value_name(family, 0);
    out += zero != nullptr ? zero : "0";
    return 0;
  }
  bool first = true;
  uint64_t rest = append_known(out, family, value, first);
  if (rest == 0) return 0;
  if (first)
    append_unknown(out, family, rest);
  else
    fmt::format_to(std::back_inserter(out), "|{:#x}", rest);
  return rest;
}

uint64_t append_more_flags(std::string& out, FlagFamily family, uint64_t value) {
  bool first = false;
  uint64_t rest = append_known(out, family, value, first);
  if (rest != 0) fmt::format_to(std::back_inserter(out), "|{:#x}", rest);
  return rest;
}

bool append_enum(std::string& out, FlagFamily family, uint64_t value) {
  const char* name = value_name(family, static_cast<int64_t>(value));
  // Negative codes are stored as such and arrive as unsigned 32-bit values.
  if (name == nullptr && value <= UINT32_MAX) name = value_name(family, static_cast<int32_t>(value));
  if (name != nullptr)
    out += name;
  else
    append_unknown(out, family, value);
  return name != nullptr;
}

bool value_known(FlagFamily family, uint64_t value) {
  for (const NamedValue& v : family_values(family)) {
    const auto bits = static_cast<uint64_t>(v.value);
    if (bits == value || (bits != 0 && (value & bits) == bits)) return true;
  }
  return false;
}

const char* unknown_note(FlagFamily family) { return info(family).unknown; }

std::string signal_name(int signo) {
  constexpr int RT_FIRST = 32, LAST = 64;
  if (const char* name = value_name(FlagFamily::signals, signo)) return name;
  if (signo > RT_FIRST && signo <= LAST) return fmt::format("SIGRT_{}", signo - RT_FIRST);
  return std::to_string(signo);
}

std::string error_text(int err) {
  switch (err) {
    case ERESTARTSYS:
      return "ERESTARTSYS (To be restarted if SA_RESTART is set)";
    case ERESTARTNOINTR:
      return "ERESTARTNOINTR (To be restarted)";
    case ERESTARTNOHAND:
      return "ERESTARTNOHAND (To be restarted if no handler)";
    case ERESTART_RESTARTBLOCK:
      return "ERESTART_RESTARTBLOCK (Interrupted by signal)";
    default:
      break;
  }
  const char* name = strerrorname_np(err);
  const char* text = strerrordesc_np(err);
  if (name == nullptr || text == nullptr) return fmt::format("{} (errno {})", err, err);
  // glibc's names for the two errnos that have more than one.
  if (err == EOPNOTSUPP) name = "EOPNOTSUPP";
  if (err == EAGAIN) name = "EAGAIN";
  return fmt::format("{} ({})", name, text);
}

}  // namespace starry::trace
