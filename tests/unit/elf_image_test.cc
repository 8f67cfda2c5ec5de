#include <gtest/gtest.h>

#include <cstring>

#include "emulated_kernel/task/elf.h"
#include "emulated_kernel/task/exec_stack.h"
#include "emulated_kernel/task/script.h"

namespace starry {
namespace {

class BytesFile final : public File {
 public:
  explicit BytesFile(std::string b) : File(0), bytes(std::move(b)) {}
  Result<size_t> read(IoVec& to, int64_t* at_pos, int) override {
    const auto at = static_cast<size_t>(*at_pos);
    if (at >= bytes.size()) return size_t{0};
    // Short reads must not confuse the loader.
    const size_t n =
        TRY(to.copy_out(bytes.data() + at, std::min<size_t>({to.remaining(), bytes.size() - at, 100})));
    *at_pos += static_cast<int64_t>(n);
    return n;
  }
  std::string bytes;
};

struct Elf {
  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> phdrs;
  std::string tail;

  Elf() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_machine = EM_X86_64;
    header.e_type = ET_DYN;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phoff = sizeof header;
  }
  void load(uint64_t vaddr, uint64_t offset, uint64_t filesz, uint64_t memsz, uint32_t flags = PF_R) {
    phdrs.push_back({PT_LOAD, flags, offset, vaddr, vaddr, filesz, memsz, 4096});
  }
  Ref<File> file() {
    header.e_phnum = static_cast<uint16_t>(phdrs.size());
    std::string s(reinterpret_cast<const char*>(&header), sizeof header);
    s.append(reinterpret_cast<const char*>(phdrs.data()), phdrs.size() * sizeof(Elf64_Phdr));
    return make_ref<BytesFile>(s + tail);
  }
  int error() { return read_elf(*file()).code(); }
};

TEST(ElfImage, ReadsSegmentsAndInterpreter) {
  Elf e;
  e.load(0, 0, 0x500, 0x500);
  e.load(0x1800, 0x800, 0x100, 0x3000, PF_R | PF_W);
  const uint64_t at = sizeof(Elf64_Ehdr) + 4 * sizeof(Elf64_Phdr);
  e.phdrs.push_back({PT_INTERP, PF_R, at, 0, 0, 9, 9, 1});
  e.phdrs.push_back({PT_GNU_STACK, PF_R | PF_W | PF_X, 0, 0, 0, 0, 0, 16});
  e.tail = std::string("/lib/ld.x", 8) + std::string(1, '\0');
  auto image = read_elf(*e.file());
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image->interpreter, "/lib/ld.");
  EXPECT_TRUE(image->executable_stack);
  EXPECT_EQ(image->phdr_vaddr, sizeof(Elf64_Ehdr));
  EXPECT_EQ(image->low(), 0u);
  EXPECT_EQ(image->high(), 0x5000u);
}

TEST(ElfImage, RefusesWhatIsNotAnExecutable) {
  const auto broken = [](auto&& spoil) {
    Elf e;
    e.load(0x400000, 0, 0x100, 0x100);
    spoil(e);
    return e.error();
  };
  EXPECT_EQ(broken([](Elf&) {}), 0);
  EXPECT_EQ(broken([](Elf& e) { e.header.e_ident[0] = 'x'; }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.header.e_ident[EI_CLASS] = ELFCLASS32; }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.header.e_machine = EM_AARCH64; }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.header.e_type = ET_REL; }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.header.e_phentsize = 32; }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.header.e_phoff = 5000; }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.header.e_phoff = UINT64_MAX - 10; }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.phdrs.clear(); }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.phdrs[0].p_filesz = 0x200; }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.phdrs[0].p_memsz = UINT64_MAX; }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.phdrs[0].p_vaddr = UINT64_MAX - 4095; }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.phdrs[0].p_offset = 8; }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.load(0x400080, 0x80, 0x10, 0x10); }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.phdrs.push_back({PT_INTERP, 0, 0, 0, 0, 1, 1, 1}); }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.phdrs.push_back({PT_INTERP, 0, 0, 0, 0, 5000, 5000, 1}); }), ENOEXEC);
  EXPECT_EQ(broken([](Elf& e) { e.phdrs.push_back({PT_INTERP, 0, 9999, 0, 0, 10, 10, 1}); }), EIO);
  EXPECT_EQ(read_elf(*make_ref<BytesFile>("")).code(), ENOEXEC);
  EXPECT_EQ(read_elf(*make_ref<BytesFile>("\177ELF")).code(), ENOEXEC);
}

TEST(Script, SplitsTheFirstLine) {
  const auto parse = [](const std::string& s) {
    auto r = parse_script(s);
    if (!r) return std::string("error");
    return r->interpreter + (r->has_argument ? "|" + r->argument : "");
  };
  EXPECT_EQ(parse("#!/bin/sh\necho"), "/bin/sh");
  EXPECT_EQ(parse("#! \t/bin/sh\t \n"), "/bin/sh");
  EXPECT_EQ(parse("#!/bin/sh -e  -x \n"), "/bin/sh|-e  -x");
  EXPECT_EQ(parse("#!/bin/sh"), "/bin/sh");
  EXPECT_EQ(parse("#!\n"), "error");
  EXPECT_EQ(parse("#!  \t \n/bin/sh"), "error");
  EXPECT_EQ(parse("#!"), "error");
  EXPECT_EQ(parse("#!" + std::string(254, 'a')), "error");
  EXPECT_EQ(parse("#!/bin/sh " + std::string(246, 'a')), "/bin/sh|" + std::string(246, 'a'));
  EXPECT_EQ(parse("#!" + std::string(254, ' ')), "error");
}

TEST(ExecStack, HasTheLayoutOfLinux) {
  StackInput in;
  in.top = 0x7ffffffff000;
  in.argv = {"prog", "", "two words"};
  in.envp = {"A=1"};
  in.execfn = "/bin/prog";
  std::memset(in.random, 7, sizeof in.random);
  in.auxv = {{AT_PAGESZ, 4096}, {AT_RANDOM, 0}, {AT_EXECFN, 0}, {AT_PLATFORM, 0}};
  const StackImage s = build_stack(in);
  EXPECT_EQ(s.sp % 16, 0u);
  ASSERT_EQ(s.bytes.size(), in.top - s.sp);
  const auto word = [&](uint64_t addr) {
    uint64_t v;
    std::memcpy(&v, s.bytes.data() + (addr - s.sp), sizeof v);
    return v;
  };
  const auto text = [&](uint64_t addr) {
    return std::string(reinterpret_cast<const char*>(s.bytes.data() + (addr - s.sp)));
  };
  EXPECT_EQ(word(s.sp), 3u);
  EXPECT_EQ(text(word(s.sp + 8)), "prog");
  EXPECT_EQ(text(word(s.sp + 16)), "");
  EXPECT_EQ(text(word(s.sp + 24)), "two words");
  EXPECT_EQ(word(s.sp + 32), 0u);
  EXPECT_EQ(text(word(s.sp + 40)), "A=1");
  EXPECT_EQ(word(s.sp + 48), 0u);
  EXPECT_EQ(word(s.sp + 56), uint64_t{AT_PAGESZ});
  EXPECT_EQ(word(s.sp + 72), uint64_t{AT_RANDOM});
  EXPECT_EQ(s.bytes[word(s.sp + 80) - s.sp + 15], 7);
  EXPECT_EQ(text(word(s.sp + 96)), "/bin/prog");
  EXPECT_EQ(text(word(s.sp + 112)), "x86_64");
  EXPECT_EQ(word(s.sp + 120), uint64_t{AT_NULL});
  EXPECT_EQ(s.arg_start, word(s.sp + 8));
  EXPECT_EQ(s.env_start, word(s.sp + 40));
  EXPECT_EQ(s.arg_end, s.env_start);
  // The last bytes: the name of the program, then a null word.
  EXPECT_EQ(word(s.sp + 96) + sizeof "/bin/prog" + 8, in.top);
  EXPECT_EQ(word(in.top - 8), 0u);
  EXPECT_EQ(s.auxv.size(), 10 * sizeof(uint64_t));
}

}  // namespace
}  // namespace starry
