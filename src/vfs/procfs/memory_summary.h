// Sizes of an address space by kind, as several files of /proc/PID show them.
#pragma once

#include <cstdint>

namespace starry {

class Mm;
struct Vma;

namespace proc {

// All in kB.
struct MemorySummary {
  uint64_t peak = 0, total = 0, locked = 0;
  uint64_t data = 0, stack = 0, exe = 0, lib = 0, page_tables = 0;
  uint64_t resident = 0, resident_file = 0, resident_shmem = 0, resident_anon = 0;
};
MemorySummary summarize(const Mm& mm);

// How much of each range is in memory.
class Residency {
 public:
  struct Pages {
    uint64_t all = 0, anonymous = 0;  // the latter: not of a file, and not shared
  };
  explicit Residency(const Mm& mm) : mm_(mm) {}
  Pages of(const Vma& v) const;

 private:
  const Mm& mm_;
};

}  // namespace proc
}  // namespace starry
