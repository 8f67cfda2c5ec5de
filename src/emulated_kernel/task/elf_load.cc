#include "emulated_kernel/task/elf_load.h"

#include <sys/mman.h>

#include <algorithm>

namespace starry {

namespace {

int prot_of(const Elf64_Phdr& p) {
  int prot = 0;
  if ((p.p_flags & PF_R) != 0) prot |= PROT_READ;
  if ((p.p_flags & PF_W) != 0) prot |= PROT_WRITE;
  if ((p.p_flags & PF_X) != 0) prot |= PROT_EXEC;
  return prot;
}

// Segments may share a page with their neighbour; the whole extent was checked to be free before.
constexpr int FIXED_PRIVATE = MAP_PRIVATE | MAP_FIXED;

bool is_free(const Mm& mm, uint64_t start, uint64_t end) {
  const auto next = mm.vmas().lower_bound(end);
  return next == mm.vmas().begin() || std::prev(next)->second.end <= start;
}

// The part of the segment behind its file content is zero: the rest of the last file page, then fresh
// pages.
Result<void> map_bss(Mm& mm, HostThread& by, const Elf64_Phdr& p, uint64_t bias, LoadedElf* out) {
  const uint64_t file_end = bias + p.p_vaddr + p.p_filesz;
  const uint64_t mem_end = bias + p.p_vaddr + p.p_memsz;
  const uint64_t fresh = page_up(file_end);
  if (p.p_filesz != 0 && fresh > file_end && (p.p_flags & PF_W) != 0)
    out->to_clear.push_back({file_end, fresh});
  const uint64_t start = p.p_filesz == 0 ? page_down(file_end) : fresh;
  if (page_up(mem_end) > start)
    TRY(mm.mmap(by, start, page_up(mem_end) - start, prot_of(p), FIXED_PRIVATE | MAP_ANONYMOUS, nullptr, 0));
  return {};
}

}  // namespace

Result<LoadedElf> map_elf(Mm& mm, HostThread& by, const ElfImage& image, const Ref<File>& file, uint64_t bias,
                          const std::string& name) {
  if (!is_free(mm, bias + image.low(), bias + image.high())) return Error{ENOMEM};
  LoadedElf out;
  out.bias = bias;
  out.entry = bias + image.header.e_entry;
  out.phdr = image.phdr_vaddr == 0 ? 0 : bias + image.phdr_vaddr;
  out.base = bias + image.low();
  for (const Elf64_Phdr& p : image.segments) {
    const uint64_t start = bias + page_down(p.p_vaddr);
    const uint64_t file_end = bias + p.p_vaddr + p.p_filesz;
    if (p.p_filesz != 0)
      TRY(mm.mmap(by, start, page_up(file_end) - start, prot_of(p), FIXED_PRIVATE, file,
                  page_down(p.p_offset), name));
    if (p.p_memsz > p.p_filesz) TRY(map_bss(mm, by, p, bias, &out));

    const uint64_t vaddr = bias + p.p_vaddr;
    if ((p.p_flags & PF_X) != 0) {
      if (out.code_start == 0) out.code_start = vaddr;
      out.code_end = std::max(out.code_end, file_end);
    }
    out.data_start = std::max(out.data_start, vaddr);
    out.data_end = std::max(out.data_end, file_end);
    out.end = std::max(out.end, vaddr + p.p_memsz);
  }
  return out;
}

Result<void> clear_tails(Mm& mm, const LoadedElf& elf) {
  static constexpr uint8_t zeros[PAGE] = {};
  for (const AddressRange& r : elf.to_clear) TRY(mm.space->poke(r.start, zeros, r.end - r.start));
  return {};
}

Result<uint64_t> top_down_gap(const Mm& mm, uint64_t size, uint64_t align) {
  uint64_t top = mm.mmap_top;
  const auto fits = [&](uint64_t bottom) {
    return top > bottom && ((top - size) & ~(align - 1)) >= bottom && top >= size;
  };
  for (auto it = mm.vmas().rbegin(); it != mm.vmas().rend(); ++it) {
    const Vma& v = it->second;
    if (v.start >= top) continue;
    if (fits(std::max(v.end, GUEST_RESERVED_END))) break;
    top = std::min(top, v.start);
  }
  if (!fits(GUEST_RESERVED_END)) return Error{ENOMEM};
  return (top - size) & ~(align - 1);
}

}  // namespace starry
