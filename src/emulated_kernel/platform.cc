#include "emulated_kernel/platform.h"

#include "emulated_kernel/base/log.h"

namespace starry {

static Platform* the_platform = nullptr;

Platform& platform() {
  CHECK(the_platform != nullptr);
  return *the_platform;
}

void set_platform(Platform* p) { the_platform = p; }

}  // namespace starry
