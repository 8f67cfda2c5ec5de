// Which `syscall` instructions can become a jump, and how. Pure: bytes in, bytes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "tracer/trampoline.h"

namespace starry {

// What was decided about one site.
struct SitePlan {
  chan::SiteKind kind = chan::SITE_NONE;
  uint32_t number = 0;                  // `before`: what the replaced `mov $n,%eax` loads
  uint8_t moved[chan::MOVED_MAX] = {};  // `after`: the instruction behind the `syscall`
  uint8_t moved_size = 0;
};

// Bytes around a `syscall` instruction that the plan looks at.
inline constexpr uint64_t SYSCALL_SIZE = 2;  // bytes of the instruction
inline constexpr size_t SITE_BEFORE_BYTES = 6, SITE_AFTER_BYTES = 18;

// `code` holds SITE_BEFORE_BYTES bytes, then the `syscall`, up to SITE_AFTER_BYTES from there on. `number` is
// what rax held when it trapped. Only patterns whose meaning is certain are taken:
// - `mov $n,%eax; syscall`, n being the number that trapped. The `syscall` stays for those who jump to it.
// - `syscall` and an instruction of at least 3 bytes that uses registers and constants only. Whoever jumps
//   between the two meets an opcode that does not exist (see trampoline_reaches) and is sent on by the stub.
SitePlan plan_site(std::span<const uint8_t> code, uint64_t number);

// Whether a jump from the site's `syscall` at `site` into the slot at `slot` is possible; for kind `after`
// also whether its third byte is an opcode that is invalid in 64-bit mode.
bool trampoline_reaches(chan::SiteKind kind, uint64_t site, uint64_t slot);

// Address and bytes of the jump that replaces code at the site.
struct SiteJump {
  uint64_t at = 0;
  uint8_t code[5] = {};
};
SiteJump site_jump(chan::SiteKind kind, uint64_t site, uint64_t slot);

// The bytes of the slot. `entry`: the stub's stub_fast_entry.
void build_trampoline(const SitePlan& plan, uint64_t site, uint64_t slot, uint64_t entry,
                      uint8_t out[chan::TRAMPOLINE_SIZE]);

}  // namespace starry
