#include "tracer/guest_fp.h"

#include <algorithm>
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

// MXCSR and its mask in the legacy area; XSTATE_BV and XCOMP_BV in the header behind it (Intel SDM 13.4).
constexpr size_t MXCSR_AT = 24, MXCSR_MASK_AT = 28, XSTATE_BV_AT = 512, XCOMP_BV_AT = 520;
constexpr uint32_t MXCSR_DEFAULT_MASK = 0xffbf;
constexpr uint64_t FP_AND_SSE = 3;

struct Found {
  uint64_t addr;
  std::vector<uint8_t> state;  // as it lies there
  uint64_t features;           // that the host saves
};

template <class T>
T load(const std::vector<uint8_t>& from, size_t at) {
  T v;
  std::memcpy(&v, &from[at], sizeof v);
  return v;
}

// The carrier waits inside a host signal frame at the top of its signal stack; the host has put the state
// above the frame, on a 64-byte boundary.
Result<Found> find_state(Task& t) {
  constexpr uint64_t TOP_BYTES = 20 * 1024, ALIGN = 64;
  auto* carrier = static_cast<GuestThread*>(t.host.get());
  const uint64_t end = chan::area_start(carrier->slot()) + chan::AREA_SIZE;
  const Ref<Mm> mm = t.mm;
  if (!carrier->enter_frame().ok()) return Error{EIO};
  std::vector<uint8_t> top(TOP_BYTES);
  auto n = mm->space->peek(end - TOP_BYTES, top.data(), top.size());
  if (!n.ok() || *n != top.size()) return Error{EIO};
  for (size_t at = TOP_BYTES - LEGACY_SIZE - HEADER_SIZE; at >= ALIGN; at -= ALIGN) {
    const auto sw = load<SwBytes>(top, at + SW_BYTES_AT);
    const size_t room = TOP_BYTES - at;
    if (sw.magic1 != MAGIC1 || sw.extended_size > room || sw.xstate_size + sizeof MAGIC2 > sw.extended_size ||
        sw.xstate_size < LEGACY_SIZE + HEADER_SIZE || load<uint32_t>(top, at + sw.xstate_size) != MAGIC2)
      continue;
    const auto from = top.begin() + static_cast<ptrdiff_t>(at);
    return Found{end - TOP_BYTES + at, {from, from + static_cast<ptrdiff_t>(sw.xstate_size)}, sw.xfeatures};
  }
  return Error{EIO};
}

}  // namespace

Result<std::vector<uint8_t>> guest_fp_state(Task& t) {
  Found f = TRY(find_state(t));
  // Debuggers look here for the features that the machine has.
  std::memset(&f.state[SW_BYTES_AT], 0, LEGACY_SIZE - SW_BYTES_AT);
  std::memcpy(&f.state[SW_BYTES_AT], &f.features, sizeof f.features);
  return std::move(f.state);
}

// The rules of fpregs_set() and copy_uabi_to_xstate(): what the host's sigreturn would not load must not get
// there.
Result<void> set_guest_fp_state(Task& t, const std::vector<uint8_t>& state) {
  Found f = TRY(find_state(t));
  if (state.size() != LEGACY_SIZE && state.size() != f.state.size()) return Error{EFAULT};
  const auto known_mask = load<uint32_t>(f.state, MXCSR_MASK_AT);
  const uint32_t mask = known_mask != 0 ? known_mask : MXCSR_DEFAULT_MASK;
  if ((load<uint32_t>(state, MXCSR_AT) & ~mask) != 0) return Error{EINVAL};
  uint64_t present = load<uint64_t>(f.state, XSTATE_BV_AT) | FP_AND_SSE;
  if (state.size() != LEGACY_SIZE) {
    present = load<uint64_t>(state, XSTATE_BV_AT);
    if ((present & ~f.features) != 0 || load<uint64_t>(state, XCOMP_BV_AT) != 0) return Error{EINVAL};
    std::copy(state.begin() + LEGACY_SIZE, state.end(), f.state.begin() + LEGACY_SIZE);
    std::memset(&f.state[XCOMP_BV_AT], 0, HEADER_SIZE - sizeof present);
  }
  std::memcpy(f.state.data(), state.data(), SW_BYTES_AT);
  std::memcpy(&f.state[MXCSR_MASK_AT], &known_mask, sizeof known_mask);
  std::memcpy(&f.state[XSTATE_BV_AT], &present, sizeof present);
  if (!t.mm) return Error{ESRCH};
  auto n = t.mm->space->poke(f.addr, f.state.data(), f.state.size());
  if (!n.ok() || *n != f.state.size()) return Error{EIO};
  return {};
}

}  // namespace starry
