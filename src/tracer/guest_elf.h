// What a call stack needs to know of an ELF file that a guest has mapped: where its unwind table is and
// which function an address belongs to. The file is the guest's and may hold anything.
#pragma once

#include <elf.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace starry {

class GuestElf {
 public:
  // Reads up to n bytes of the file at `offset`; returns how many there were.
  using Read = std::function<size_t(uint64_t offset, void* dst, size_t n)>;
  explicit GuestElf(Read read);

  // The address that the code at this offset in the file has in the file's own numbering.
  std::optional<uint64_t> address_of(uint64_t offset) const;
  // Where .eh_frame_hdr is, in the same numbering.
  std::optional<uint64_t> unwind_table() const { return unwind_table_; }

  struct Function {
    uint64_t address = 0;  // in: an address; its function is looked for
    uint64_t distance = UINT64_MAX;
    std::string name;  // out: the closest function that begins at or before it; empty: none
  };
  void find_functions(std::vector<Function>& wanted) const;

 private:
  bool read_all(uint64_t offset, void* dst, size_t n) const { return read_(offset, dst, n) == n; }
  void search(const Elf64_Shdr& symbols, const Elf64_Shdr& strings, std::vector<Function>& wanted) const;
  std::string name_at(uint64_t offset, uint64_t end) const;

  Read read_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> code_;  // PT_LOAD, executable
  std::optional<uint64_t> unwind_table_;
};

}  // namespace starry
