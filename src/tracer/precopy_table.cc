#include "tracer/precopy_table.h"

#include <sys/mman.h>

#include "emulated_kernel/abi/syscall_spec.h"
#include "tracer/channel.h"

namespace starry {

using namespace chan;

static bool describe(const ArgSpec& spec, uint8_t arg, Precopy* out) {
  switch (spec.kind) {
    case Kind::PATH:
    case Kind::STR:
      *out = {PC_STRING, arg, 0xff, 0, 0};
      return true;
    case Kind::BUF_IN:
      if (spec.len_arg < 0) return false;
      *out = {PC_BYTES, arg, static_cast<uint8_t>(spec.len_arg), 0, 1};
      return true;
    case Kind::STRUCT_IN:
    case Kind::STRUCT_INOUT:
      if (spec.elem_size == 0) return false;
      *out = {PC_BYTES, arg, spec.len_arg < 0 ? uint8_t{0xff} : static_cast<uint8_t>(spec.len_arg), 0,
              spec.elem_size};
      return true;
    default:
      return false;
  }
}

void fill_precopy_table(int info_fd) {
  void* p = mmap(nullptr, INFO_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, info_fd, 0);
  if (p == MAP_FAILED) return;
  auto* info = static_cast<InfoPage*>(p);
  for (uint32_t nr = 0; nr < PRECOPY_SYSCALLS; ++nr) {
    const SyscallSpec& row = syscall_spec(nr);
    uint32_t n = 0;
    for (int a = 0; row.name != nullptr && a < row.nargs && n < MAX_PRECOPY; ++a)
      if (describe(row.args[a].spec, static_cast<uint8_t>(a), &info->precopy[nr][n])) ++n;
  }
  munmap(p, INFO_SIZE);
}

}  // namespace starry
