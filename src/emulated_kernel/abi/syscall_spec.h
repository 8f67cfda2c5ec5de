// What a row of abi/syscalls.def says. One row drives dispatch (the handler is declared from the row's
// types, so a wrong signature does not link), what the stub copies along, strace decoding, profiles,
// and the generated documentation.
#pragma once

#include <cstdint>

namespace starry {

// How an argument is shown and, for pointers, which memory it names. IN memory is read by the kernel,
// OUT memory is valid after the call. Names follow strace's decoders.
enum class Kind : uint8_t {
#define ARG_KIND(name) name,
#include "emulated_kernel/abi/arg_kinds.def"
#undef ARG_KIND
};

// Formatters that an argument can have besides what its kind gives (abi/arg_formats.def).
enum class Fmt : uint16_t {
  NONE,
#define ARG_FORMAT(name, size) name,
#include "emulated_kernel/abi/arg_formats.def"
#undef ARG_FORMAT
};

// Memory behind pointers: for PATH and STR up to the NUL; for BUF_* and STRUCT_* elem_size *
// (len_arg < 0 ? 1 : args[len_arg]) bytes. elem_size 0: the size is not in the table. Bringing such
// memory along is an optimisation: a call may ignore the argument (EPOLL_CTL_DEL), so a fault there
// is left for the kernel to find.
struct ArgSpec {
  Kind kind = Kind::HEX;
  int8_t len_arg = -1;     // index of the argument that holds the length / count of this buffer
  uint16_t elem_size = 0;  // bytes per unit of len_arg, or the fixed size of a struct (len_arg < 0)
  uint16_t flags_id = 0;   // a FlagFamily (abi/flags/*.def) for FLAGS / ENUM kinds
  Fmt fmt = Fmt::NONE;

  // The kernel fills it: there is nothing to show before the call returns.
  bool is_output() const { return kind == Kind::BUF_OUT || kind == Kind::STRUCT_OUT; }
};

// Classes for strace's -e trace=%class. Bits.
enum SyscallClass : uint32_t {
  C_NONE = 0,
  C_DESC = 1 << 0,     // %desc
  C_FILE = 1 << 1,     // %file
  C_MEMORY = 1 << 2,   // %memory
  C_PROCESS = 1 << 3,  // %process
  C_SIGNAL = 1 << 4,   // %signal
  C_IPC = 1 << 5,      // %ipc
  C_NETWORK = 1 << 6,  // %network
  C_CREDS = 1 << 7,    // %creds
  C_CLOCK = 1 << 8,    // %clock
  C_PURE = 1 << 9,     // %pure
  C_STAT = 1 << 10,    // %stat: stat and variants
  C_LSTAT = 1 << 11,
  C_FSTAT = 1 << 12,
  C_STATFS = 1 << 13,
  C_FSTATFS = 1 << 14,
  C_NEVERFAILS = 1 << 15,
};

// How far the emulated kernel has it. NI: not implemented (ENOSYS and one warning).
enum class Support : uint8_t { NI, PARTIAL, FULL };

// How the result is shown; the last group is a number with a decoded note, as `0x3 (flags O_RDWR)`.
enum class RetKind : uint8_t {
  DEC,
  HEX,
  FD,
  PTR,
  VOID,
  OCT,
  SIGRETURN,
  SIGNO,
  IOCTL,
  FCNTL,
  PRCTL,
  PERSONALITY,
  SCHED_POLICY,
  TIMEX,
  TIME,
  IOPRIO,
  MEMBARRIER,
  RESTART,
};

struct SyscallSpec {
  int nr = -1;
  const char* name = nullptr;  // nullptr: hole in the table
  Support support = Support::NI;
  uint32_t classes = 0;
  RetKind ret = RetKind::DEC;
  int nargs = 0;
  struct Arg {
    const char* name = nullptr;
    ArgSpec spec;
    uint8_t size = 8;  // of the C type: a value of 4 is passed in the lower half of the register
  } args[6];
};

inline constexpr int MAX_SYSCALL = 512;

// The row for `nr`; name is nullptr for numbers that x86-64 Linux does not have. Valid for any nr.
const SyscallSpec& syscall_spec(int64_t nr);
// nullptr if unknown.
const SyscallSpec* syscall_by_name(const char* name);

}  // namespace starry
