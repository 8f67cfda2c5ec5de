#include "emulated_kernel/profile/operands.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "emulated_kernel/abi/syscall_classes.h"
#include "emulated_kernel/profile/words.h"
#include "emulated_kernel/trace/names.h"

namespace starry::profile {
namespace {

// A row of operands.def.
struct Row {
  FlagFamily family;
  bool bits;
  uint64_t mask;
  operator Names() const { return {trace::family_values(family), bits, mask, family}; }
};

struct FormatNames {
  Fmt fmt;
  Row row;
};
constexpr FormatNames FORMATS[] = {
#define VALUE_NAMES(fmt, mask, family) {Fmt::fmt, {FlagFamily::family, false, mask}},
#define BIT_NAMES(fmt, family) {Fmt::fmt, {FlagFamily::family, true, 0}},
#define OPTION_NAMES(level, family) {Fmt::SOCKOPT_NAME, {FlagFamily::family, false, ~0ULL}},
#include "emulated_kernel/profile/operands.def"
};

struct NamedBit {
  Fmt fmt;
  trace::NamedValue bit;
};
constexpr NamedBit BITS[] = {
#define ONE_BIT(fmt, name, bit) {Fmt::fmt, {#name, bit}},
#include "emulated_kernel/profile/operands.def"
};

struct Access {
  FlagFamily flags;
  Row row;
};
constexpr Access ACCESSES[] = {
#define ACCESS_NAMES(flags, mask, family) {FlagFamily::flags, {FlagFamily::family, false, mask}},
#include "emulated_kernel/profile/operands.def"
};

struct OptionLevel {
  int level;
  FlagFamily family;
};
constexpr OptionLevel OPTION_LEVELS[] = {
#define OPTION_NAMES(level, family) {level, FlagFamily::family},
#include "emulated_kernel/profile/operands.def"
};

struct Member {
  std::string_view call, name;
  Operand operand;
  Row row;
};
constexpr Member MEMBERS[] = {
#define MEMBER(call, name, arg, offset, size, family) \
  {#call, #name, {arg, true, offset, size}, {FlagFamily::family, false, ~0ULL}},
#define MEMBER_BITS(call, name, arg, offset, size, family) \
  {#call, #name, {arg, true, offset, size}, {FlagFamily::family, true, 0}},
#include "emulated_kernel/profile/operands.def"
};

std::vector<Names> names_of(const ArgSpec& spec) {
  std::vector<Names> names;
  const Row family{static_cast<FlagFamily>(spec.flags_id), spec.kind == Kind::FLAGS, ~0ULL};
  if (spec.kind == Kind::FLAGS || spec.kind == Kind::ENUM) names.push_back(family);
  if (spec.kind == Kind::SIGNO) names.push_back(Row{FlagFamily::signals, false, ~0ULL});
  for (const Access& a : ACCESSES)
    if (spec.kind == Kind::FLAGS && a.flags == family.family) names.push_back(a.row);
  if (spec.fmt == Fmt::NONE) return names;
  for (const FormatNames& f : FORMATS)
    if (spec.fmt == f.fmt) names.push_back(f.row);
  for (const NamedBit& b : BITS)
    if (spec.fmt == b.fmt) names.push_back({std::span(&b.bit, 1), true, 0, std::nullopt});
  return names;
}

template <class T>
int64_t number_at(const uint8_t* bytes) {
  T v;
  std::memcpy(&v, bytes, sizeof v);
  return static_cast<int64_t>(v);
}

uint64_t width_mask(uint8_t size) { return size >= 8 ? ~0ULL : (1ULL << (8 * size)) - 1; }

// Decimal, hexadecimal (0x) or octal (0), possibly negative.
std::optional<int64_t> parse_number(std::string_view text) {
  const std::string s(text);
  if (s.empty() || isspace(static_cast<unsigned char>(s[0])) != 0) return std::nullopt;
  char* end = nullptr;
  errno = 0;
  const int64_t value =
      s[0] == '-' ? strtoll(s.c_str(), &end, 0) : static_cast<int64_t>(strtoull(s.c_str(), &end, 0));
  if (errno != 0 || *end != '\0') return std::nullopt;
  return value;
}

struct NamedNumber {
  const Names* names;
  uint64_t value;
};
std::optional<NamedNumber> number_of(const NamedOperand& o, std::string_view name) {
  for (const Names& n : o.names)
    for (const trace::NamedValue& v : n.values)
      if (v.name == name) return NamedNumber{&n, static_cast<uint64_t>(v.value)};
  return std::nullopt;
}

std::string unknown_value(std::string_view arg, std::string_view text, const NamedOperand& o) {
  if (o.names.empty()) return fmt::format("{} has no named values: '{}' is not a number", arg, text);
  return fmt::format("'{}' is not a value of {}", text, arg);
}

// One alternative: a name, a number, a range or several bits.
Parsed<Test> parse_test(const NamedOperand& o, std::string_view arg, std::string_view text) {
  const uint64_t width = width_mask(o.operand.size);
  if (const size_t dots = text.find(".."); dots != text.npos) {
    const auto low = parse_number(text.substr(0, dots)), high = parse_number(text.substr(dots + 2));
    if (!low || !high || *low > *high) return {{}, fmt::format("{}: '{}' is not a range", arg, text)};
    return {Test{~0ULL, *low, *high}, {}};
  }
  Test t{0, 0, 0};
  for (const std::string_view part : split(text, '|')) {
    if (const auto named = number_of(o, part)) {
      // A value that spreads beyond its mask stands for the whole number (FUTEX_WAIT_PRIVATE).
      const bool fits = (named->value & ~named->names->mask) == 0;
      const uint64_t mask = (named->names->bits ? named->value : fits ? named->names->mask : ~0ULL) & width;
      if (mask == 0 && named->value == 0) {  // "no flag"
        t.mask |= width;
        continue;
      }
      t.mask |= mask;
      t.low |= static_cast<int64_t>(named->value & mask);
    } else if (const auto number = parse_number(part)) {
      t.mask |= width;
      t.low |= static_cast<int64_t>(static_cast<uint64_t>(*number) & width);
    } else {
      return {{}, unknown_value(arg, part, o)};
    }
  }
  t.high = t.low;
  return {t, {}};
}

}  // namespace

Parsed<NamedOperand> find_operand(const SyscallSpec& call, std::string_view name) {
  for (const Member& m : MEMBERS)
    if (m.call == call.name && m.name == name) return {NamedOperand{m.operand, {m.row}}, {}};
  std::string known;
  for (int i = 0; i < call.nargs; i++) {
    const SyscallSpec::Arg& a = call.args[i];
    if (a.name == name) {
      return {NamedOperand{{static_cast<uint8_t>(i), false, 0, a.size}, names_of(a.spec)}, {}};
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", a.name);
  }
  for (const Member& m : MEMBERS)
    if (m.call == call.name) known += fmt::format(", {}", m.name);
  return {
      {},
      fmt::format("{} has no argument '{}' (it has: {})", call.name, name, known.empty() ? "none" : known)};
}

std::vector<std::pair<std::string, NamedOperand>> named_operands(const SyscallSpec& call) {
  std::vector<std::pair<std::string, NamedOperand>> all;
  for (int i = 0; i < call.nargs; i++) {
    NamedOperand o{{static_cast<uint8_t>(i), false, 0, call.args[i].size}, names_of(call.args[i].spec)};
    if (!o.names.empty()) all.emplace_back(call.args[i].name, std::move(o));
  }
  for (const Member& m : MEMBERS)
    if (m.call == call.name) all.emplace_back(m.name, NamedOperand{m.operand, {m.row}});
  return all;
}

std::optional<FlagFamily> option_family(int level) {
  for (const OptionLevel& o : OPTION_LEVELS)
    if (o.level == level) return o.family;
  return std::nullopt;
}

bool load_operand(const Operand& o, const uint64_t args[6], UserMemory& mem, int64_t& out) {
  uint8_t bytes[8];
  if (!o.in_memory)
    std::memcpy(bytes, &args[o.arg], sizeof bytes);
  else if (!mem.read(args[o.arg] + o.offset, bytes, o.size).ok())
    return false;
  switch (o.size) {
    case 1:
      out = number_at<int8_t>(bytes);
      return true;
    case 2:
      out = number_at<int16_t>(bytes);
      return true;
    case 4:
      out = number_at<int32_t>(bytes);
      return true;
    default:
      out = number_at<int64_t>(bytes);
      return true;
  }
}

Parsed<Condition> parse_condition(const SyscallSpec& call, std::string_view name, std::string_view text) {
  const Parsed<NamedOperand> o = find_operand(call, name);
  if (!o.value) return {{}, o.error};
  Condition c{o.value->operand, {}, false};
  if (text.starts_with('!')) {
    c.negated = true;
    text.remove_prefix(1);
  }
  if (text.empty()) return {{}, fmt::format("{} needs a value", name)};
  for (const std::string_view alternative : split(text, ',')) {
    const Parsed<Test> t = parse_test(*o.value, name, alternative);
    if (!t.value) return {{}, t.error};
    c.any.push_back(*t.value);
  }
  return {std::move(c), {}};
}

Parsed<ClearedBits> parse_cleared(const SyscallSpec& call, std::string_view text) {
  const size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const Parsed<NamedOperand> o = find_operand(call, name);
  if (!o.value) return {{}, o.error};
  if (o.value->operand.in_memory)
    return {{}, fmt::format("{} is in the guest's memory: it cannot be dropped", name)};
  ClearedBits c{o.value->operand.arg, 0};
  if (equals == text.npos) {
    c.bits = ~0ULL;
    return {c, {}};
  }
  for (const std::string_view part : split(text.substr(equals + 1), '|')) {
    if (const auto named = number_of(*o.value, part))
      c.bits |= named->value;
    else if (const auto number = parse_number(part))
      c.bits |= static_cast<uint64_t>(*number);
    else
      return {{}, unknown_value(name, part, *o.value)};
  }
  return {c, {}};
}

Parsed<Effect> parse_result(std::string_view text) {
  Effect e;
  if (text == "emulate") return {e, {}};
  if (text == "panic") {
    e.kind = Effect::Kind::panic;
  } else if (const int err = errno_by_name(text); err != 0) {
    e.kind = Effect::Kind::error;
    e.value = err;
  } else if (const auto number = parse_number(text)) {
    e.kind = Effect::Kind::value;
    e.value = *number;
  } else {
    return {{}, fmt::format("'{}' is not a result: an errno's name, a number, 'emulate' or 'panic'", text)};
  }
  return {e, {}};
}

Parsed<std::vector<ErrorMap>> parse_errors(std::string_view text) {
  std::vector<ErrorMap> maps;
  for (const std::string_view part : split(text, ',')) {
    const size_t colon = part.find(':');
    const std::string_view from = colon == part.npos ? "" : part.substr(0, colon);
    const std::string_view to = colon == part.npos ? part : part.substr(colon + 1);
    ErrorMap m{from.empty() ? 0 : errno_by_name(from), to == "0" ? 0 : errno_by_name(to)};
    if ((!from.empty() && m.from == 0) || (m.to == 0 && to != "0"))
      return {{}, fmt::format("'{}' does not map errors: expected ENAME, ENAME:ENAME or ENAME:0", part)};
    maps.push_back(m);
  }
  return {std::move(maps), {}};
}

int errno_by_name(std::string_view name) {
  constexpr int LAST_ERRNO = 133;  // EHWPOISON
  for (int e = 1; e <= LAST_ERRNO; e++) {
    const char* known = strerrorname_np(e);
    if (known != nullptr && name == known) return e;
  }
  if (name == "EAGAIN" || name == "EWOULDBLOCK") return EAGAIN;
  return name == "EOPNOTSUPP" ? EOPNOTSUPP : 0;
}

std::vector<int> calls_named(std::string_view name) {
  std::vector<int> numbers;
  if (!name.starts_with('%')) {
    const SyscallSpec* spec = syscall_by_name(std::string(name).c_str());
    if (spec != nullptr) numbers.push_back(spec->nr);
    return numbers;
  }
  const uint32_t mask = syscall_class_by_name(name);
  for (int nr = 0; nr < MAX_SYSCALL && mask != 0; nr++) {
    const SyscallSpec& spec = syscall_spec(nr);
    if (spec.name != nullptr && (spec.classes & mask) != 0) numbers.push_back(nr);
  }
  return numbers;
}

}  // namespace starry::profile
