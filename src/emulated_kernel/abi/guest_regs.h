// The guest's general registers as they cross between stub and kernel. Shared with the stub: plain
// data, fixed layout, in the order of the x86-64 ucontext's gregs (arch/x86/include/uapi/asm/sigcontext.h).
#pragma once

#include <stdint.h>

namespace starry {

struct GuestRegs {
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
  uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp;
  uint64_t rip, eflags;
  uint64_t fs_base;  // not in the ucontext; carried separately
};
static_assert(sizeof(GuestRegs) == 19 * 8);

}  // namespace starry
