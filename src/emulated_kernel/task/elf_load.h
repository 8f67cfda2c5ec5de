// Mapping ELF images into a new address space.
#pragma once

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/elf.h"

namespace starry {

struct LoadedElf {
  uint64_t bias = 0;  // added to every address of the file
  uint64_t entry = 0;
  uint64_t phdr = 0;  // AT_PHDR
  uint64_t base = 0;  // lowest address: AT_BASE of an interpreter
  uint64_t code_start = 0, code_end = 0, data_start = 0, data_end = 0;
  uint64_t end = 0;                    // after the last bss, not rounded
  std::vector<AddressRange> to_clear;  // what is mapped from the file behind a segment's end
};

// Maps all segments at `bias`. `name` is what /proc/PID/maps shows. ENOMEM, EINVAL, ... clear_tails() has to
// follow when the mappings are really there (HostThread::gather_ops).
Result<LoadedElf> map_elf(Mm& mm, HostThread& by, const ElfImage& image, const Ref<File>& file, uint64_t bias,
                          const std::string& name);
Result<void> clear_tails(Mm& mm, const LoadedElf& elf);
// A gap of `size` bytes, `align`ed, as high as possible below the mmap area's top. ENOMEM.
Result<uint64_t> top_down_gap(const Mm& mm, uint64_t size, uint64_t align);

}  // namespace starry
