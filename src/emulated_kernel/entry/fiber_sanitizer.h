// Tells AddressSanitizer and ThreadSanitizer of fibers: without that they take a switch for an overflow of
// the stack, or for a race. Nothing in other builds. See sanitizer/common_interface_defs.h and
// sanitizer/tsan_interface.h of the compiler.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace starry {

// One per fiber.
class FiberSanitizer {
 public:
#if defined(__SANITIZE_ADDRESS__)
  // Of a fiber that has not run yet: its stack.
  void created(void* top, size_t size) { bottom_ = static_cast<char*>(top) - size, size_ = size; }
  // Around the switch, both on the fiber that is left; `arrived` also first thing on a new fiber, with what
  // it came from.
  void leave_for(FiberSanitizer& to) { __sanitizer_start_switch_fiber(&fake_stack_, to.bottom_, to.size_); }
  void arrived(FiberSanitizer& from) {
    __sanitizer_finish_switch_fiber(fake_stack_, &from.bottom_, &from.size_);
  }

 private:
  void* fake_stack_ = nullptr;
  const void* bottom_ = nullptr;
  size_t size_ = 0;
#elif defined(__SANITIZE_THREAD__)
  void created(void*, size_t) { fiber_ = __tsan_create_fiber(0); }
  void leave_for(FiberSanitizer& to) {
    if (fiber_ == nullptr) fiber_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to.fiber_, 0);
  }
  void arrived(FiberSanitizer&) {}

 private:
  void* fiber_ = nullptr;
#else
  void created(void*, size_t) {}
  void leave_for(FiberSanitizer&) {}
  void arrived(FiberSanitizer&) {}
#endif
};

}  // namespace starry
