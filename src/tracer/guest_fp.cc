#include "tracer/guest_fp.h"

#include <cstring>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/ptrace.h"
#include "tracer/guest_process.h"

namespace starry {

namespace {

// struct _fpx_sw_bytes (asm/sigcontext.h), in the last 48 bytes of the legacy area.
constexpr size_t SW_BYTES_AT = 464, LEGACY_SIZE = 512, HEADER_SIZE = 64;
constexpr uint32_t MAGIC1 = 0x46505853, MAGIC2 = 0x46505845;
struct SwBytes {
  uint32_t magic1, extended_size;
  uint64_t xfeatures;
  uint32_t xstate_size;
};

}  // namespace

// The carrier waits inside a host signal frame at the top of its signal stack; the host has put the state
// above the frame, on a 64-byte boundary.
Result<std::vector<uint8_t>> guest_fp_state(Task& t) {
  constexpr uint64_t TOP_BYTES = 20 * 1024, ALIGN = 64;
  const auto* carrier = static_cast<const GuestThread*>(t.host.get());
  if (!carrier->in_frame()) return Error{EIO};  // it came by a trampoline, its state is still in the CPU
  const uint64_t end = chan::AREAS_ADDR + (carrier->slot() + 1) * chan::AREA_SIZE;
  std::vector<uint8_t> top(TOP_BYTES);
  auto n = t.mm->space->peek(end - TOP_BYTES, top.data(), top.size());
  if (!n.ok() || *n != top.size()) return Error{EIO};
  for (size_t at = TOP_BYTES - LEGACY_SIZE - HEADER_SIZE; at >= ALIGN; at -= ALIGN) {
    SwBytes sw;
    std::memcpy(&sw, &top[at + SW_BYTES_AT], sizeof sw);
    const size_t room = TOP_BYTES - at;
    if (sw.magic1 != MAGIC1 || sw.extended_size > room || sw.xstate_size + sizeof MAGIC2 > sw.extended_size ||
        sw.xstate_size < LEGACY_SIZE + HEADER_SIZE)
      continue;
    uint32_t magic2;
    std::memcpy(&magic2, &top[at + sw.xstate_size], sizeof magic2);
    if (magic2 != MAGIC2) continue;
    std::vector<uint8_t> state(top.begin() + static_cast<ptrdiff_t>(at),
                               top.begin() + static_cast<ptrdiff_t>(at + sw.xstate_size));
    // Debuggers look here for the features that the machine has.
    std::memset(&state[SW_BYTES_AT], 0, LEGACY_SIZE - SW_BYTES_AT);
    std::memcpy(&state[SW_BYTES_AT], &sw.xfeatures, sizeof sw.xfeatures);
    return state;
  }
  return Error{EIO};
}

}  // namespace starry
