#include "emulated_kernel/entry/dispatch.h"

#include <array>
#include <utility>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/base/log.h"
#include "emulated_kernel/entry/missing.h"
#include "emulated_kernel/task/task.h"

namespace starry {
namespace {

template <class T>
struct FromRegister {
  static T convert(uint64_t v) { return static_cast<T>(v); }
};
template <class T>
struct FromRegister<UserPtr<T>> {
  static UserPtr<T> convert(uint64_t v) { return {v}; }
};

// SyscallFn around a handler, its parameter types deduced.
template <auto Handler>
struct Adaptor;
template <class... A, SysResult (*Handler)(Task&, A...)>
struct Adaptor<Handler> {
  static SysResult call(Task& t, const uint64_t args[6]) {
    return call(t, args, std::index_sequence_for<A...>{});
  }

 private:
  template <size_t... I>
  static SysResult call(Task& t, [[maybe_unused]] const uint64_t args[6], std::index_sequence<I...>) {
    return Handler(t, FromRegister<A>::convert(args[I])...);
  }
};

constexpr auto HANDLERS = [] {
  std::array<SyscallFn, MAX_SYSCALL> table{};
#define ENTRY_NI(nr, name)
#define ENTRY_PARTIAL(nr, name) table[nr] = &Adaptor<&sys_##name>::call;
#define ENTRY_FULL(nr, name) table[nr] = &Adaptor<&sys_##name>::call;
#define SYSCALL0(nr, name, st, ...) ENTRY_##st(nr, name)
#define SYSCALL1(nr, name, st, ...) ENTRY_##st(nr, name)
#define SYSCALL2(nr, name, st, ...) ENTRY_##st(nr, name)
#define SYSCALL3(nr, name, st, ...) ENTRY_##st(nr, name)
#define SYSCALL4(nr, name, st, ...) ENTRY_##st(nr, name)
#define SYSCALL5(nr, name, st, ...) ENTRY_##st(nr, name)
#define SYSCALL6(nr, name, st, ...) ENTRY_##st(nr, name)
// clang-format off
#include "emulated_kernel/abi/syscalls.def"
#include "emulated_kernel/abi/syscall_undef.h"
// clang-format on
#undef ENTRY_NI
#undef ENTRY_PARTIAL
#undef ENTRY_FULL
  return table;
}();

constinit auto serving = HANDLERS;

bool in_table(int64_t nr) { return static_cast<uint64_t>(nr) < HANDLERS.size(); }

}  // namespace

SyscallFn syscall_handler(int64_t nr) { return in_table(nr) ? serving[static_cast<size_t>(nr)] : nullptr; }

SyscallFn replace_syscall(int64_t nr, SyscallFn fn) {
  CHECK(in_table(nr));
  return std::exchange(serving[static_cast<size_t>(nr)], fn);
}

bool syscall_replaced(int64_t nr) {
  return in_table(nr) && serving[static_cast<size_t>(nr)] != HANDLERS[static_cast<size_t>(nr)];
}

SysResult emulated_syscall(Task& t, const uint64_t args[6]) {
  const SyscallFn fn = in_table(t.call.nr) ? HANDLERS[static_cast<size_t>(t.call.nr)] : nullptr;
  return fn != nullptr ? fn(t, args) : missing_syscall(t);
}

}  // namespace starry
