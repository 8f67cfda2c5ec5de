#include "emulated_kernel/signal/altstack.h"

#include <cpuid.h>

#include "emulated_kernel/task/task.h"

namespace starry {

bool on_alt_stack(const Task& t, uint64_t sp) {
  // With SS_AUTODISARM the stack is disarmed while a handler runs on it.
  if ((static_cast<int32_t>(t.sig.alt_flags) & ALT_AUTODISARM) != 0) return false;
  return sp > t.sig.alt_sp && sp - t.sig.alt_sp <= t.sig.alt_size;
}

GuestStackT alt_stack_state(const Task& t, uint64_t sp) {
  GuestStackT ss{};
  ss.sp = t.sig.alt_sp;
  ss.size = t.sig.alt_size;
  ss.flags = t.sig.alt_size == 0 ? ALT_DISABLE : on_alt_stack(t, sp) ? ALT_ONSTACK : 0;
  ss.flags |= static_cast<int32_t>(t.sig.alt_flags) & ALT_AUTODISARM;
  return ss;
}

Result<void> set_alt_stack(Task& t, const GuestStackT& ss, uint64_t sp) {
  if (on_alt_stack(t, sp)) return Error{EPERM};
  const int32_t mode = ss.flags & ~ALT_AUTODISARM;
  if (mode != ALT_DISABLE && mode != ALT_ONSTACK && mode != 0) return Error{EINVAL};
  if (ss.sp == t.sig.alt_sp && ss.size == t.sig.alt_size && ss.flags == static_cast<int32_t>(t.sig.alt_flags))
    return {};  // nothing changes: also where nothing is set, of a size that could not be
  if (mode == ALT_DISABLE) {
    t.sig.alt_sp = t.sig.alt_size = 0;
  } else {
    if (ss.size < MIN_ALT_STACK) return Error{ENOMEM};
    t.sig.alt_sp = ss.sp;
    t.sig.alt_size = ss.size;
  }
  t.sig.alt_flags = static_cast<uint32_t>(ss.flags);
  return {};
}

void reset_alt_stack(Task& t) {
  t.sig.alt_sp = t.sig.alt_size = 0;
  t.sig.alt_flags = ALT_DISABLE;
}

uint64_t signal_frame_size() {
  static const uint64_t size = [] {
    constexpr uint64_t FRAME = 440;        // return address, ucontext, siginfo
    constexpr uint64_t PADDING = 15 + 63;  // alignment of frame and FP state
    constexpr uint64_t LEGACY_FP = 512, MAGIC2 = 4;
    unsigned a = 0, b = 0, c = 0, d = 0;
    const bool xsave = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_OSXSAVE) != 0;
    uint64_t fp = LEGACY_FP;
    if (xsave && __get_cpuid_count(0xd, 0, &a, &b, &c, &d) != 0) fp = b + MAGIC2;
    return (FRAME + PADDING + fp + 15) & ~15ULL;
  }();
  return size;
}

}  // namespace starry
