// What the generators share: numbers, masks, names.
#include <fmt/format.h>

#include <charconv>

#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/task/task.h"
#include "vfs/procfs/generators.h"

namespace starry::proc {

CpuMask first_cpus(int cpus) {
  CpuMask mask;
  for (int i = 0; i < cpus; i++) mask.set(static_cast<size_t>(i));
  return mask;
}

std::string mask_text(const CpuMask& mask, int cpus) {
  std::string text;
  // Groups of 32 bits from the highest; the first one is as wide as its CPUs need.
  for (int group = (cpus - 1) / 32; group >= 0; group--) {
    uint32_t bits = 0;
    const int width = std::min(32, cpus - group * 32);
    for (int i = 0; i < width; i++) {
      if (mask.test(static_cast<size_t>(group * 32 + i))) bits |= 1U << i;
    }
    text += fmt::format("{:0{}x}", bits, (width + 3) / 4);
    if (group > 0) text += ',';
  }
  return text;
}

std::string list_text(const CpuMask& mask, int cpus) {
  std::string text;
  for (int i = 0; i < cpus; i++) {
    if (!mask.test(static_cast<size_t>(i))) continue;
    const int first = i;
    while (i + 1 < cpus && mask.test(static_cast<size_t>(i + 1))) i++;
    if (!text.empty()) text += ',';
    text += first == i ? std::to_string(first) : fmt::format("{}-{}", first, i);
  }
  return text;
}

Result<int64_t> parse_number(std::string_view text, int64_t least, int64_t most) {
  constexpr std::string_view BLANKS = " \t\n";
  const size_t begin = text.find_first_not_of(BLANKS);
  if (begin == text.npos) return Error{EINVAL};
  text = text.substr(begin, text.find_last_not_of(BLANKS) + 1 - begin);
  if (text.ends_with('\0')) text.remove_suffix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return Error{ERANGE};
  if (error != std::errc() || end != text.data() + text.size()) return Error{EINVAL};
  if (value < least || value > most) return Error{EINVAL};
  return value;
}

std::string escape_name(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\\')
      text += fmt::format("\\{:03o}", static_cast<unsigned>(c));
    else
      text += c;
  }
  return text;
}

char state_letter(const Task& t) {
  if (t.exited || t.group->zombie) return 'Z';
  if (t.ptrace && t.ptrace->stopped) return 't';
  if (t.group->stopped) return 'T';
  return t.se.state == SchedEntity::State::blocked ? 'S' : 'R';
}

}  // namespace starry::proc
