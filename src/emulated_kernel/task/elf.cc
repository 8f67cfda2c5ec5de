#include "emulated_kernel/task/elf.h"

#include <linux/limits.h>

#include <algorithm>
#include <cstring>

#include "emulated_kernel/mm/mm.h"

namespace starry {

namespace {

constexpr size_t MAX_PHDR_BYTES = 65536;

bool good_header(const Elf64_Ehdr& h) {
  if (std::memcmp(h.e_ident, ELFMAG, SELFMAG) != 0) return false;
  if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_machine != EM_X86_64) return false;
  if (h.e_type != ET_EXEC && h.e_type != ET_DYN) return false;
  const size_t size = size_t{h.e_phnum} * sizeof(Elf64_Phdr);
  return h.e_phentsize == sizeof(Elf64_Phdr) && size != 0 && size <= MAX_PHDR_BYTES;
}

// Addresses below the end of user space and file offsets that fit: sums cannot overflow then.
bool good_segment(const Elf64_Phdr& p) {
  return p.p_filesz <= p.p_memsz && p.p_memsz <= GUEST_TASK_SIZE &&
         p.p_vaddr <= GUEST_TASK_SIZE - p.p_memsz && p.p_offset <= INT64_MAX - p.p_filesz &&
         (p.p_filesz == 0 || (p.p_vaddr - p.p_offset) % PAGE == 0);
}

Result<std::string> read_interpreter(File& f, const Elf64_Phdr& p) {
  if (p.p_filesz > PATH_MAX || p.p_filesz < 2) return Error{ENOEXEC};
  std::string path(p.p_filesz, '\0');
  TRY(read_exact(f, p.p_offset, path.data(), path.size()));
  if (path.back() != '\0') return Error{ENOEXEC};
  path.resize(std::strlen(path.c_str()));
  return path;
}

}  // namespace

Result<size_t> read_at(File& f, uint64_t offset, void* dst, size_t n) {
  auto pos = static_cast<int64_t>(offset);
  size_t done = 0;
  while (done < n) {
    IoVec to = IoVec::kernel(static_cast<uint8_t*>(dst) + done, n - done);
    const size_t got = TRY(f.read(to, &pos, 0));
    if (got == 0) break;
    done += got;
  }
  return done;
}

Result<void> read_exact(File& f, uint64_t offset, void* dst, size_t n) {
  if (TRY(read_at(f, offset, dst, n)) != n) return Error{EIO};
  return {};
}

uint64_t ElfImage::low() const { return segments.empty() ? 0 : page_down(segments.front().p_vaddr); }

uint64_t ElfImage::high() const {
  return segments.empty() ? 0 : page_up(segments.back().p_vaddr + segments.back().p_memsz);
}

Result<ElfImage> read_elf(File& f) {
  ElfImage image;
  if (TRY(read_at(f, 0, &image.header, sizeof image.header)) != sizeof image.header) return Error{ENOEXEC};
  const Elf64_Ehdr& h = image.header;
  if (!good_header(h) || h.e_phoff > INT64_MAX - MAX_PHDR_BYTES) return Error{ENOEXEC};
  std::vector<Elf64_Phdr> all(h.e_phnum);
  if (!read_exact(f, h.e_phoff, all.data(), all.size() * sizeof(Elf64_Phdr))) return Error{ENOEXEC};

  for (const Elf64_Phdr& p : all) {
    if (p.p_type == PT_INTERP && image.interpreter.empty()) {
      image.interpreter = TRY(read_interpreter(f, p));
    } else if (p.p_type == PT_GNU_STACK) {
      image.executable_stack = (p.p_flags & PF_X) != 0;
    } else if (p.p_type == PT_LOAD) {
      if (!good_segment(p)) return Error{ENOEXEC};
      if (p.p_memsz == 0) continue;
      if (h.e_phoff >= p.p_offset && h.e_phoff < p.p_offset + p.p_filesz && image.phdr_vaddr == 0)
        image.phdr_vaddr = h.e_phoff - p.p_offset + p.p_vaddr;
      const bool power_of_two = (p.p_align & (p.p_align - 1)) == 0;
      if (power_of_two && p.p_align <= GUEST_TASK_SIZE)
        image.max_align = std::max(image.max_align, p.p_align);
      if (!image.segments.empty() &&
          p.p_vaddr < image.segments.back().p_vaddr + image.segments.back().p_memsz)
        return Error{ENOEXEC};
      image.segments.push_back(p);
    }
  }
  if (image.segments.empty()) return Error{ENOEXEC};
  return image;
}

}  // namespace starry
