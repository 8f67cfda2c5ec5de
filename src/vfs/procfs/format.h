// How numbers, CPU sets and names look in the files of procfs and sysfs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/sched/sched_entity.h"

namespace starry::proc {

// CPUs below `cpus` as the kernel prints masks ("%*pb": "3", "ff,ffffffff") and lists ("%*pbl": "0-1").
std::string mask_text(const CpuMask& mask, int cpus);
std::string list_text(const CpuMask& mask, int cpus);
// The first `cpus` CPUs.
CpuMask first_cpus(int cpus);

// A signed decimal number as written to a proc file, blanks around it ignored. EINVAL, ERANGE.
Result<int64_t> parse_number(std::string_view text, int64_t least, int64_t most);

// Names in mount tables: blank, tab, newline and backslash as octal escapes.
std::string escape_name(std::string_view name);

}  // namespace starry::proc
