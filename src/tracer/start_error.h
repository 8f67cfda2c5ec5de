// A failure of starryrun itself (not of the guest): one line on stderr and the exit status of
// env(1) and container runtimes: 125.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace starry {

inline constexpr int EXIT_KERNEL_PANIC = 122;      // the modelled kernel panicked (profiles)
inline constexpr int EXIT_STARRYRUN_FAILED = 125;  // starryrun could not do its part
inline constexpr int EXIT_CANNOT_RUN = 126;        // PROGRAM is there but cannot be executed
inline constexpr int EXIT_NOT_FOUND = 127;         // PROGRAM is not there

class StartError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class... A>
[[noreturn]] void start_error(fmt::format_string<A...> f, A&&... a) {
  throw StartError(fmt::format(f, std::forward<A>(a)...));
}

}  // namespace starry
