// Reading ELF executables (elf(5)): headers only, everything checked. Mapping is in elf_load.cc.
#pragma once

#include <elf.h>

#include <string>
#include <vector>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/mm/page.h"

namespace starry {

struct ElfImage {
  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> segments;  // PT_LOAD, ascending, page arithmetic cannot overflow
  uint64_t phdr_vaddr = 0;           // where the program headers end up in memory, unrelocated; 0: nowhere
  uint64_t max_align = 4096;
  std::string interpreter;        // PT_INTERP
  bool executable_stack = false;  // PT_GNU_STACK with PF_X

  bool relocatable() const { return header.e_type == ET_DYN; }
  uint64_t low() const;  // page-aligned extent of the segments
  uint64_t high() const;
};

// ENOEXEC for everything that is not a sound x86-64 executable, EIO for a file shorter than its header
// says.
Result<ElfImage> read_elf(File& f);

// Reads exactly n bytes at `offset`. EIO if the file ends before.
Result<void> read_exact(File& f, uint64_t offset, void* dst, size_t n);
// As many bytes as there are, up to n.
Result<size_t> read_at(File& f, uint64_t offset, void* dst, size_t n);

}  // namespace starry
