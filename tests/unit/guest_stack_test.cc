// Call stacks of a "guest" that is this very process: its maps, its memory, its registers.
#include "tracer/guest_stack.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>

#include "tracer/fault_guard.h"
#include "tracer/host_files.h"

namespace starry {
namespace {

// This process's memory, with some bytes read wrong.
class SelfSpace final : public HostSpace {
 public:
  Result<size_t> peek(uint64_t addr, void* dst, size_t n) override {
    iovec local{dst, n}, remote{reinterpret_cast<void*>(addr), n};
    const ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    if (got < 0) return Error{errno};
    for (ssize_t i = 0; i < got && wrong_in_page > 0; ++i)
      if (random() % 4096 < wrong_in_page) static_cast<uint8_t*>(dst)[i] = static_cast<uint8_t>(random());
    return static_cast<size_t>(got);
  }
  Result<size_t> poke(uint64_t, const void*, size_t) override { return Error{EFAULT}; }
  int host_pid() const override { return getpid(); }

  std::minstd_rand random{1};
  unsigned wrong_in_page = 0;
};

class MappedFile final : public File {
 public:
  explicit MappedFile(std::string name) : File(O_RDONLY), path_(std::move(name)) {
    fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  }
  ~MappedFile() override { ::close(fd_); }
  Result<MapBacking> map_backing(bool, int) override { return MapBacking{.host_fd = fd_}; }
  std::string describe() const override { return path_; }

 private:
  std::string path_;
  int fd_;
};

class GuestStackTest : public ::testing::Test {
 protected:
  GuestStackTest() : space(make_ref<SelfSpace>()), mm(space) {
    install_host_files();
    FILE* maps = fopen("/proc/self/maps", "re");
    char line[4096];
    while (fgets(line, sizeof line, maps) != nullptr) {
      Vma v;
      char perms[8], name[4096] = "";
      unsigned long start, end, offset;
      if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %4095s", &start, &end, perms, &offset, name) < 4) continue;
      if (end > GUEST_TASK_SIZE) continue;
      v.start = start, v.end = end, v.offset = offset;
      v.prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[2] == 'x' ? PROT_EXEC : 0);
      v.flags = MAP_PRIVATE;
      if (name[0] == '/')
        v.file = make_ref<MappedFile>(name);
      else
        v.name = name;
      mm.adopt(std::move(v));
    }
    fclose(maps);
  }

  Ref<SelfSpace> space;
  Mm mm;
};

GuestRegs regs_of(const ucontext_t& uc) {
  const auto& g = uc.uc_mcontext.gregs;
  GuestRegs r{};
  const auto reg = [&g](int i) { return static_cast<uint64_t>(g[i]); };
  r.rbx = reg(REG_RBX), r.rbp = reg(REG_RBP), r.rsp = reg(REG_RSP), r.rip = reg(REG_RIP);
  r.r12 = reg(REG_R12), r.r13 = reg(REG_R13), r.r14 = reg(REG_R14), r.r15 = reg(REG_R15);
  return r;
}

// Not inlined, and not a tail call.
extern "C" [[gnu::noinline]] size_t guest_stack_inner(const Mm& mm, std::vector<std::string>& out) {
  ucontext_t uc;
  getcontext(&uc);
  out = guest_call_stack(regs_of(uc), mm);
  return out.size();
}
extern "C" [[gnu::noinline]] size_t guest_stack_outer(const Mm& mm, std::vector<std::string>& out) {
  return 1 + guest_stack_inner(mm, out);
}

TEST_F(GuestStackTest, namesFunctionsFromInnermostToOutermost) {
  std::vector<std::string> lines;
  guest_stack_outer(mm, lines);
  size_t next = 0;
  for (const char* name : {"(guest_stack_inner+0x", "(guest_stack_outer+0x", "(main+0x", "(_start+0x"}) {
    const auto at = std::find_if(lines.begin() + static_cast<ptrdiff_t>(next), lines.end(),
                                 [&](const std::string& l) { return l.find(name) != std::string::npos; });
    ASSERT_NE(at, lines.end()) << name;
    next = static_cast<size_t>(at - lines.begin()) + 1;
  }
  EXPECT_LE(lines.size(), 64u);
}

TEST_F(GuestStackTest, depthIsBounded) {
  // Frames that lead back to each other: code without unwind tables is followed along frame pointers.
  uint64_t circle[4] = {};
  circle[0] = reinterpret_cast<uint64_t>(&circle[2]), circle[2] = reinterpret_cast<uint64_t>(&circle[0]);
  circle[1] = circle[3] = 0x1000;  // nothing is mapped there
  GuestRegs r{};
  r.rip = 0x1000, r.rbp = reinterpret_cast<uint64_t>(circle), r.rsp = r.rbp - 64;
  const std::vector<std::string> lines = guest_call_stack(r, mm);
  ASSERT_FALSE(lines.empty());
  EXPECT_LE(lines.size(), 64u);
  EXPECT_EQ(lines[0], " > [unmapped]() [0x1000]");
}

TEST_F(GuestStackTest, survivesRegistersThatPointAnywhere) {
  std::minstd_rand random(7);
  for (int i = 0; i < 500; ++i) {
    GuestRegs r{};
    for (uint64_t GuestRegs::*reg : {&GuestRegs::rip, &GuestRegs::rsp, &GuestRegs::rbp, &GuestRegs::rbx}) {
      auto it = mm.vmas().begin();
      std::advance(it, random() % mm.vmas().size());
      r.*reg =
          random() % 8 == 0 ? ~0ULL - random() % 64 : it->first + random() % (it->second.end - it->first);
    }
    EXPECT_LE(guest_call_stack(r, mm).size(), 64u);
  }
}

TEST_F(GuestStackTest, survivesTablesThatAreWrong) {
  std::vector<std::string> lines;
  for (int i = 0; i < 600; ++i) {
    space->wrong_in_page = 1u << (i % 9);
    guest_stack_outer(mm, lines);
    EXPECT_LE(lines.size(), 64u);
  }
}

TEST(FaultGuard, aFaultEndsOnlyWhatIsGuarded) {
  void* page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  auto* word = static_cast<volatile int*>(page);
  int before = 0, after = 0;
  EXPECT_TRUE(survives_faults([&] { before = 1; }));
  EXPECT_FALSE(survives_faults([&] {
    before = 2;
    after = *word;
    after = 3;
  }));
  EXPECT_FALSE(survives_faults([&] {
    EXPECT_FALSE(survives_faults([&] { after = *word; }));
    before = 4;
    after = *word;
  }));
  EXPECT_EQ(before, 4);
  EXPECT_EQ(after, 0);
  EXPECT_DEATH(after = *word, "");  // under a sanitizer with a status of its own
  munmap(page, 4096);
}

}  // namespace
}  // namespace starry
