// timespec and nanoseconds.
#pragma once

#include <time.h>

#include <cstdint>

namespace starry {

inline constexpr uint64_t NSEC_PER_SEC = 1'000'000'000;

// What the kernel accepts as a time: not negative, nanoseconds below a second.
inline bool timespec_valid(const timespec& ts) {
  return ts.tv_sec >= 0 && static_cast<uint64_t>(ts.tv_nsec) < NSEC_PER_SEC;
}

// Of a valid timespec; what does not fit becomes INT64_MAX (KTIME_MAX), some 292 years.
inline uint64_t timespec_to_ns(const timespec& ts) {
  const auto sec = static_cast<uint64_t>(ts.tv_sec);
  if (sec >= INT64_MAX / NSEC_PER_SEC) return INT64_MAX;
  return sec * NSEC_PER_SEC + static_cast<uint64_t>(ts.tv_nsec);
}

inline timespec timespec_from_ns(uint64_t ns) {
  return {static_cast<time_t>(ns / NSEC_PER_SEC), static_cast<long>(ns % NSEC_PER_SEC)};
}

}  // namespace starry
