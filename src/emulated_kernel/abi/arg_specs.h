// Argument specs by name, for the rows of abi/syscalls.def: `using namespace argspec` where the rows'
// kinds are evaluated.
#pragma once

#include <sched.h>

#include "emulated_kernel/abi/flag_families.h"
#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/abi/syscall_types.h"

namespace starry::argspec {

using enum FlagFamily;

// Plain numbers and strings.
inline constexpr ArgSpec INT{Kind::INT};
inline constexpr ArgSpec UINT{Kind::UINT};
inline constexpr ArgSpec LONG{Kind::LONG};
inline constexpr ArgSpec ULONG{Kind::ULONG};
inline constexpr ArgSpec HEX{Kind::HEX};
inline constexpr ArgSpec OCT{Kind::OCT};
inline constexpr ArgSpec PTR{Kind::PTR};
inline constexpr ArgSpec FD{Kind::FD};
inline constexpr ArgSpec DIRFD{Kind::DIRFD};
inline constexpr ArgSpec PATH{Kind::PATH};
inline constexpr ArgSpec STR{Kind::STR};
inline constexpr ArgSpec SIGNO{Kind::SIGNO};
inline constexpr ArgSpec PID{Kind::PID};
inline constexpr ArgSpec UID{Kind::UID};

// Bytes; len_arg is the index of the argument with their number.
constexpr ArgSpec BUF_IN(int len_arg) { return {Kind::BUF_IN, static_cast<int8_t>(len_arg), 1}; }
constexpr ArgSpec BUF_OUT(int len_arg) { return {Kind::BUF_OUT, static_cast<int8_t>(len_arg), 1}; }

// Named bits, or one named value.
constexpr ArgSpec FLAGS(FlagFamily family) { return {Kind::FLAGS, -1, 0, static_cast<uint16_t>(family)}; }
constexpr ArgSpec ENUM(FlagFamily family) { return {Kind::ENUM, -1, 0, static_cast<uint16_t>(family)}; }

struct Format {
  Fmt fmt;
  uint16_t size;
};
#define ARG_FORMAT(name, size) inline constexpr Format name{Fmt::name, static_cast<uint16_t>(size)};
#include "emulated_kernel/abi/arg_formats.def"
#undef ARG_FORMAT

// A number with its own formatter.
constexpr ArgSpec SHOW(Format f) { return {Kind::HEX, -1, 0, 0, f.fmt}; }
// One structure, or an array whose number of elements is the argument `len_arg`.
constexpr ArgSpec IN(Format f) { return {Kind::STRUCT_IN, -1, f.size, 0, f.fmt}; }
constexpr ArgSpec OUT(Format f) { return {Kind::STRUCT_OUT, -1, f.size, 0, f.fmt}; }
constexpr ArgSpec INOUT(Format f) { return {Kind::STRUCT_INOUT, -1, f.size, 0, f.fmt}; }
constexpr ArgSpec IN_ARRAY(Format f, int len_arg) {
  return {Kind::STRUCT_IN, static_cast<int8_t>(len_arg), f.size, 0, f.fmt};
}
constexpr ArgSpec OUT_ARRAY(Format f, int len_arg) {
  return {Kind::STRUCT_OUT, static_cast<int8_t>(len_arg), f.size, 0, f.fmt};
}
constexpr ArgSpec INOUT_ARRAY(Format f, int len_arg) {
  return {Kind::STRUCT_INOUT, static_cast<int8_t>(len_arg), f.size, 0, f.fmt};
}

}  // namespace starry::argspec
