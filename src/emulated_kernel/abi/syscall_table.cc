// abi/syscalls.def as data: syscall_spec() and syscall_by_name().
#include <array>
#include <string_view>
#include <unordered_map>

#include "emulated_kernel/abi/arg_specs.h"
#include "emulated_kernel/abi/syscall_spec.h"

namespace starry {
namespace {

using namespace argspec;

constexpr SyscallSpec ROWS[] = {
// clang-format off
#define ARG(t, a, k) {#a, k, sizeof(t)}
// clang-format on
#define ROW(nr, name, st, cls, ret, n) nr, #name, Support::st, static_cast<uint32_t>(cls), RetKind::ret, n
#define SYSCALL0(nr, name, st, cls, ret) {ROW(nr, name, st, cls, ret, 0), {}},
#define SYSCALL1(nr, name, st, cls, ret, t0, a0, k0) {ROW(nr, name, st, cls, ret, 1), {ARG(t0, a0, k0)}},
#define SYSCALL2(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1) \
  {ROW(nr, name, st, cls, ret, 2), {ARG(t0, a0, k0), ARG(t1, a1, k1)}},
#define SYSCALL3(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1, t2, a2, k2) \
  {ROW(nr, name, st, cls, ret, 3), {ARG(t0, a0, k0), ARG(t1, a1, k1), ARG(t2, a2, k2)}},
#define SYSCALL4(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1, t2, a2, k2, t3, a3, k3) \
  {ROW(nr, name, st, cls, ret, 4), {ARG(t0, a0, k0), ARG(t1, a1, k1), ARG(t2, a2, k2), ARG(t3, a3, k3)}},
#define SYSCALL5(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1, t2, a2, k2, t3, a3, k3, t4, a4, k4) \
  {ROW(nr, name, st, cls, ret, 5),                                                                   \
   {ARG(t0, a0, k0), ARG(t1, a1, k1), ARG(t2, a2, k2), ARG(t3, a3, k3), ARG(t4, a4, k4)}},
#define SYSCALL6(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1, t2, a2, k2, t3, a3, k3, t4, a4, k4, t5, a5, \
                 k5)                                                                                         \
  {ROW(nr, name, st, cls, ret, 6),                                                                           \
   {ARG(t0, a0, k0), ARG(t1, a1, k1), ARG(t2, a2, k2), ARG(t3, a3, k3), ARG(t4, a4, k4), ARG(t5, a5, k5)}},
// clang-format off
#include "emulated_kernel/abi/syscalls.def"
#include "emulated_kernel/abi/syscall_undef.h"
// clang-format on
#undef ROW
#undef ARG
};

// Indexed by number; holes have no name. A duplicate or out-of-range number does not compile.
constexpr auto TABLE = [] {
  std::array<SyscallSpec, MAX_SYSCALL> table{};
  for (const SyscallSpec& row : ROWS) {
    auto& slot = table[static_cast<size_t>(row.nr)];
    if (slot.name != nullptr) throw "two rows have the same number";
    slot = row;
  }
  return table;
}();

constexpr SyscallSpec HOLE{};

}  // namespace

const SyscallSpec& syscall_spec(int64_t nr) {
  return static_cast<uint64_t>(nr) < TABLE.size() ? TABLE[static_cast<size_t>(nr)] : HOLE;
}

const SyscallSpec* syscall_by_name(const char* name) {
  static const auto* const index = [] {
    auto* map = new std::unordered_map<std::string_view, const SyscallSpec*>;
    for (const SyscallSpec& s : TABLE)
      if (s.name != nullptr) map->emplace(s.name, &s);
    return map;
  }();
  auto it = index->find(name);
  return it == index->end() ? nullptr : it->second;
}

}  // namespace starry
