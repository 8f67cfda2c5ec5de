// What the guest learns about the machine and the system as a whole: uname(2), sysinfo(2) and the
// files of /proc that say the same.
#pragma once

#include <sys/time.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>

namespace starry {

class Task;
class ThreadGroup;
class Mm;

// The names of uname(2) (struct new_utsname). sethostname(2) and setdomainname(2) change the first two.
struct UtsNames {
  std::string hostname, domainname = "(none)";
  std::string sysname = "Linux", release, version = "#1 SMP PREEMPT_DYNAMIC StarryRun";
  std::string machine = "x86_64";
};
UtsNames& uts_names();

// Memory of the guest machine in bytes: KernelConfig::memory_bytes, or the host's.
struct MemoryTotals {
  uint64_t total, free, available, buffers, cached;
};
MemoryTotals memory_totals();

// The three load averages in fixed point with 11 fraction bits (FSHIFT), as the kernel keeps them:
// sampled every five seconds from load_average_start() on.
std::array<uint64_t, 3> load_averages();
void load_average_start();

// Threads in the system.
int thread_count();

// CPU time of threads and processes, ns. A group's includes the threads that are gone.
struct CpuTimes {
  uint64_t user = 0, system = 0;
  uint64_t total() const { return user + system; }
};
timeval to_timeval(uint64_t ns);  // cut to microseconds
CpuTimes cpu_times(Task& t);
CpuTimes cpu_times(ThreadGroup& g);

// Pages of an address space in memory now.
uint64_t resident_pages(const Mm& mm);

}  // namespace starry
