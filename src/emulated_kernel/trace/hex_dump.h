// The dump of -e read= and -e write=, in strace's form.
#pragma once

#include <string>

#include "emulated_kernel/trace/event.h"

namespace starry::trace {

// Lines " | 00000  7f 45 ...  .E.. |" for the bytes at `addr`, as far as they are known.
std::string hex_dump(MemoryView& mem, uint64_t addr, uint64_t length);

}  // namespace starry::trace
