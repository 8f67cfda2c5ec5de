// Argument specs by name, for the rows of abi/syscalls.def.
#pragma once

#include "emulated_kernel/abi/syscall_spec.h"

namespace starry::argspec {
constexpr ArgSpec BUF_OUT(int len_arg) { return {Kind::BUF_OUT, static_cast<int8_t>(len_arg), 1, 0}; }
constexpr ArgSpec BUF_IN(int len_arg) { return {Kind::BUF_IN, static_cast<int8_t>(len_arg), 1, 0}; }
inline constexpr ArgSpec FD{Kind::FD};
inline constexpr ArgSpec ULONG{Kind::ULONG};
}  // namespace starry::argspec
