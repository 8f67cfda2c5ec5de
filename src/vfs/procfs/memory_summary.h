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

// How much of a range is in memory. Only the total is known: it is spread evenly.
class Residency {
 public:
  explicit Residency(const Mm& mm);
  uint64_t kb(const Vma& v) const;

 private:
  uint64_t mapped_, resident_;  // pages
};

}  // namespace proc
}  // namespace starry
