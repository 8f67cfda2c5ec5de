#include "tracer/calm.h"

#include <cpuid.h>

#include <algorithm>

namespace starry {

// CPUID.1:ECX[31]: zero on every processor, set by hypervisors.
void Calm::look_at_machine() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  useful_ = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 31) != 0;
}

void Calm::begin(uint32_t calls, uint64_t now) {
  constexpr uint64_t MOST_NS = 5'000'000;
  if (!useful_) return;
  calls_ = std::max(calls_, calls);
  until_ns_ = now + MOST_NS;
}

void Calm::end_in_time(uint64_t now) {
  if (now >= until_ns_) calls_ = 0;
}

}  // namespace starry
