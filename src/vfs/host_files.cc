#include "emulated_kernel/base/log.h"
#include "emulated_kernel/platform_files.h"

namespace starry {

static HostFiles* installed;

HostFiles& host_files() {
  CHECK(installed != nullptr);
  return *installed;
}

void set_host_files(HostFiles* h) { installed = h; }

}  // namespace starry
