#include "tracer/calm.h"

#include <cpuid.h>

#include <algorithm>

namespace starry {

// CPUID.1:ECX[31]: zero on every processor, set by hypervisors.
void Calm::look_at_machine(uint64_t now) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  useful_ = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 31) != 0;
  first_cycles_ = __builtin_ia32_rdtsc();
  first_ns_ = now;
}

void Calm::begin(uint32_t calls, uint64_t now) {
  constexpr uint64_t MOST_NS = 5'000'000;
  if (!useful_ || static_cast<int32_t>(paused_until_ - count_) > 0) return;
  calls_ = std::max(calls_, calls);
  until_ns_ = now + MOST_NS;
}

void Calm::pages_taken(uint64_t cycles, uint64_t now) {
  constexpr uint64_t SLOW_NS = 100'000, TOUCHED_NS = 12'000, CROWDED_NS = 1'000'000;
  constexpr uint32_t PAUSE = 256;
  const uint64_t all_cycles = __builtin_ia32_rdtsc() - first_cycles_;
  const auto took = [&](uint64_t ns) {
    return static_cast<double>(cycles) * static_cast<double>(now - first_ns_) >
           static_cast<double>(ns) * static_cast<double>(all_cycles);
  };
  if (took(CROWDED_NS)) {  // another program had the CPU for its slice: it would have each time
    calls_ = 0;
    paused_until_ = count_ + PAUSE;
  } else if (calls_ != 0) {
    if (took(TOUCHED_NS)) begin(UNMAP, now);
  } else if (took(SLOW_NS)) {
    if (count_ - slow_at_ <= UNMAP) begin(UNMAP, now);
    slow_at_ = count_;
  }
}

void Calm::end_in_time(uint64_t now) {
  if (now >= until_ns_) calls_ = 0;
}

}  // namespace starry
