// For libraries that read what a guest has made and do not check all of it.
#pragma once

#include <functional>

namespace starry {

// Runs `fn` on this thread. False: it met a fault (SIGSEGV, SIGBUS) and was left where it was, without
// destructors; what it had allocated there is lost. It must not switch fibers.
[[nodiscard]] bool survives_faults(const std::function<void()>& fn);

}  // namespace starry
