#include "emulated_kernel/system_info.h"

#include <algorithm>
#include <memory>

#include "emulated_kernel/kernel.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/platform.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/sync/timer.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

// kernel/sched/loadavg.c: exponentially damped with periods of 1, 5 and 15 minutes.
constexpr uint64_t FIXED_1 = 1 << 11;
constexpr uint64_t SAMPLE_NS = 5'000'000'000;
constexpr std::array<uint64_t, 3> DECAY = {1884, 2014, 2037};

struct LoadAverage {
  std::array<uint64_t, 3> avg{};
  Timer timer{[this] { sample(); }};

  void start() { timer.arm(platform().monotonic_ns() + SAMPLE_NS); }
  void sample() {
    const uint64_t active = static_cast<uint64_t>(scheduler().nr_running()) * FIXED_1;
    for (size_t i = 0; i < avg.size(); i++) {
      uint64_t sum = avg[i] * DECAY[i] + active * (FIXED_1 - DECAY[i]);
      if (active >= avg[i]) sum += FIXED_1 - 1;
      avg[i] = sum / FIXED_1;
    }
    start();
  }
};

std::unique_ptr<LoadAverage> load_average;

}  // namespace

UtsNames& uts_names() {
  static UtsNames names{.hostname = kernel().config.hostname, .release = kernel().config.release};
  return names;
}

MemoryTotals memory_totals() {
  const Platform::HostMemory host = platform().host_memory();
  MemoryTotals m{host.total, host.free, host.available, host.buffers, host.cached};
  if (const uint64_t limit = kernel().config.memory_bytes; limit != 0 && limit < host.total) {
    // The host's cache is not the guest's: a limited guest sees its own resident pages as used.
    uint64_t used = 0;
    for_each_group([&](ThreadGroup& g) {
      if (g.leader() != nullptr && g.leader()->mm) used += resident_pages(*g.leader()->mm) * 4096;
    });
    const uint64_t left = limit - std::min(used, limit);
    m = {limit, std::min(left, host.free), std::min(left, host.available), 0, 0};
  }
  return m;
}

std::array<uint64_t, 3> load_averages() {
  return load_average ? load_average->avg : std::array<uint64_t, 3>{};
}

void load_average_start() {
  if (load_average) return;
  load_average = std::make_unique<LoadAverage>();
  load_average->start();
}

int thread_count() {
  int n = 0;
  for_each_group([&](ThreadGroup& g) { n += static_cast<int>(g.threads.size()); });
  return n;
}

timeval to_timeval(uint64_t ns) {
  return {static_cast<time_t>(ns / 1'000'000'000), static_cast<suseconds_t>(ns % 1'000'000'000 / 1000)};
}

CpuTimes cpu_times(Task& t) {
  // What the carrier has used is right to the nanosecond; how much of it was for system calls is sampled. The
  // parts add up to the whole and never go back: cputime_adjust() of Linux.
  const uint64_t used = t.host ? platform().thread_cpu_ns(*t.host) : 0;
  const uint64_t whole = std::max(used, t.utime_ns + t.stime_ns);
  const uint64_t system = std::max(t.stime_ns, std::min(t.syscall_ns, whole));
  t.utime_ns = std::max(t.utime_ns, whole - system);
  t.stime_ns = whole - t.utime_ns;
  return {t.utime_ns, t.stime_ns};
}

CpuTimes cpu_times(ThreadGroup& g) {
  CpuTimes sum{g.utime_ns, g.stime_ns};
  for (Task* t : g.threads) {
    const CpuTimes c = cpu_times(*t);
    sum.user += c.user;
    sum.system += c.system;
  }
  return sum;
}

uint64_t resident_pages(const Mm& mm) {
  const uint64_t mapped = mm.total_pages();
  const uint64_t resident = mm.space ? platform().resident_bytes(*mm.space) / 4096 : 0;
  return resident == 0 ? mapped : std::min(resident, mapped);
}

}  // namespace starry
