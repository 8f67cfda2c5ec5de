// Resource limits (getrlimit(2)), per process.
#pragma once

#include <sys/resource.h>

#include <array>
#include <cstdint>

namespace starry {

inline constexpr int RLIM_COUNT = 16;
inline constexpr uint64_t RLIM_INF = ~0ULL;

struct Rlimits {
  struct Limit {
    uint64_t cur, max;
  };
  std::array<Limit, RLIM_COUNT> limits = defaults();
  uint64_t cur(int resource) const { return limits[static_cast<size_t>(resource)].cur; }

  // What a Debian login shell sees (init_task's limits, then pam_limits).
  static std::array<Limit, RLIM_COUNT> defaults() {
    std::array<Limit, RLIM_COUNT> l;
    l.fill({RLIM_INF, RLIM_INF});
    l[RLIMIT_STACK] = {8ULL << 20, RLIM_INF};
    l[RLIMIT_CORE] = {0, RLIM_INF};
    l[RLIMIT_NPROC] = {62000, 62000};
    l[RLIMIT_NOFILE] = {1024, 1048576};
    l[RLIMIT_MEMLOCK] = {8ULL << 20, 8ULL << 20};
    l[RLIMIT_SIGPENDING] = {62000, 62000};
    l[RLIMIT_MSGQUEUE] = {819200, 819200};
    l[RLIMIT_NICE] = {0, 0};
    // Real-time policies are what this kernel is there to try out: allowed, as pam_limits would.
    l[RLIMIT_RTPRIO] = {99, 99};
    return l;
  }
};

}  // namespace starry
