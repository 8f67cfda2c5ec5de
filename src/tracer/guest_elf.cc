#include "tracer/guest_elf.h"

#include <algorithm>
#include <cstring>

namespace starry {
namespace {

constexpr size_t MAX_SEGMENTS = 64, MAX_SECTIONS = 4096, MAX_SYMBOLS = 1 << 20, MAX_NAME = 256;
constexpr size_t SYMBOLS_AT_ONCE = 1024;

}  // namespace

GuestElf::GuestElf(Read read) : read_(std::move(read)) {
  if (!read_all(0, &header_, sizeof header_) || memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0 ||
      header_.e_ident[EI_CLASS] != ELFCLASS64 || header_.e_machine != EM_X86_64) {
    header_ = {};
    return;
  }
  if (header_.e_phentsize != sizeof(Elf64_Phdr)) return;
  std::vector<Elf64_Phdr> all(std::min<size_t>(header_.e_phnum, MAX_SEGMENTS));
  if (!read_all(header_.e_phoff, all.data(), all.size() * sizeof all[0])) return;
  for (const Elf64_Phdr& p : all) {
    if (p.p_type == PT_LOAD && (p.p_flags & PF_X) != 0) code_.push_back(p);
    if (p.p_type == PT_GNU_EH_FRAME) unwind_table_ = p.p_vaddr;
  }
}

std::optional<uint64_t> GuestElf::address_of(uint64_t offset) const {
  for (const Elf64_Phdr& p : code_)
    if (offset >= p.p_offset && offset - p.p_offset < p.p_filesz) return p.p_vaddr + (offset - p.p_offset);
  return std::nullopt;
}

void GuestElf::find_functions(std::vector<Function>& wanted) const {
  if (header_.e_shentsize != sizeof(Elf64_Shdr)) return;
  std::vector<Elf64_Shdr> sections(std::min<size_t>(header_.e_shnum, MAX_SECTIONS));
  if (!read_all(header_.e_shoff, sections.data(), sections.size() * sizeof sections[0])) return;
  for (const Elf64_Shdr& s : sections)
    if ((s.sh_type == SHT_SYMTAB || s.sh_type == SHT_DYNSYM) && s.sh_link < sections.size())
      search(s, sections[s.sh_link], wanted);
}

// The same choice as libunwind's unw_get_proc_name(3): sizes do not count, as assembler code often has
// none.
void GuestElf::search(const Elf64_Shdr& symbols, const Elf64_Shdr& strings,
                      std::vector<Function>& wanted) const {
  std::vector<Elf64_Sym> some(SYMBOLS_AT_ONCE);
  std::vector<uint32_t> names(wanted.size());
  std::vector<bool> found(wanted.size());
  const size_t count = std::min<size_t>(symbols.sh_size / sizeof(Elf64_Sym), MAX_SYMBOLS);
  for (size_t done = 0; done < count;) {
    const size_t want = std::min(count - done, SYMBOLS_AT_ONCE) * sizeof(Elf64_Sym);
    const size_t got = read_(symbols.sh_offset + done * sizeof(Elf64_Sym), some.data(), want);
    const size_t n = got / sizeof(Elf64_Sym);
    if (n == 0) break;
    done += n;
    for (size_t s = 0; s < n; ++s) {
      const Elf64_Sym& sym = some[s];
      if (ELF64_ST_TYPE(sym.st_info) != STT_FUNC || sym.st_shndx == SHN_UNDEF) continue;
      for (size_t i = 0; i < wanted.size(); ++i) {
        Function& f = wanted[i];
        if (sym.st_value > f.address || f.address - sym.st_value >= f.distance) continue;
        f.distance = f.address - sym.st_value;
        names[i] = sym.st_name;
        found[i] = true;
      }
    }
  }
  for (size_t i = 0; i < wanted.size(); ++i)
    if (found[i] && names[i] < strings.sh_size)
      wanted[i].name = name_at(strings.sh_offset + names[i], strings.sh_offset + strings.sh_size);
}

std::string GuestElf::name_at(uint64_t offset, uint64_t end) const {
  char text[MAX_NAME];
  const size_t n = read_(offset, text, static_cast<size_t>(std::min<uint64_t>(sizeof text, end - offset)));
  return std::string(text, strnlen(text, n));
}

}  // namespace starry
