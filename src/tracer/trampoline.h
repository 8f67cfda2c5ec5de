// The pieces of code that rewritten `syscall` instructions jump to, one slot per site: shared by the
// supervisor, which writes them, and the stub, which must know where in one a thread was interrupted.
//
//   kind `before`: the site was `mov $n,%eax` followed by `syscall`; the mov became the jump, and the
//                  `syscall` behind it is still there for whoever jumps to it
//   kind `after`:  the site was `syscall` followed by an instruction of 3 to 8 bytes, which is moved here
//
//    0  mov $n,%eax              `before` enters here; `after` has NOPs
//    5  lea 32(slot),%rcx        `after` enters here
//   12  jmp *56(slot)            to the stub, which leaves by jumping to 32
//   24  .quad address after the `syscall`
//   32  lea address after the `syscall`,%rcx     as the instruction leaves it
//   39  the moved instruction, if any
//    +  jmp to what follows
//   52  .byte kind, length of the moved instruction
//   56  .quad entry of the stub
#pragma once

#include <stdint.h>

namespace starry::chan {

inline constexpr uint64_t TRAMPOLINE_SIZE = 64;
inline constexpr uint64_t T_BEFORE = 0, T_AFTER = 5, T_JUMP = 12, T_RETURN = 24, T_CONTINUE = 32,
                          T_MOVED = 39, T_KIND = 52, T_LENGTH = 53, T_ENTRY = 56;
inline constexpr uint32_t MOVED_MIN = 3, MOVED_MAX = 8;

enum SiteKind : uint8_t { SITE_NONE, SITE_BEFORE, SITE_AFTER };

// Within the reach of a 32-bit displacement from where programs and libraries lie. Every guest process
// has them; mm/mm.h keeps guest mappings away (GUEST_TRAMPOLINES).
struct TrampolineArea {
  uint64_t start, size;
};
inline constexpr uint64_t TRAMPOLINE_AREA_SIZE = 1 << 20;
inline constexpr TrampolineArea TRAMPOLINE_AREAS[] = {
    {0x7fff80000000, TRAMPOLINE_AREA_SIZE},  // libraries: below most of them and the room of the stack
    {0x555553e00000, TRAMPOLINE_AREA_SIZE},  // position-independent programs: below them
    {0x100000, TRAMPOLINE_AREA_SIZE},        // others
};

inline bool in_trampolines(uint64_t addr) {
  for (const TrampolineArea& a : TRAMPOLINE_AREAS)
    if (addr - a.start < a.size) return true;
  return false;
}

}  // namespace starry::chan
