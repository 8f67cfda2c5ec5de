#include "tracer/site_plan.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace starry {
namespace {

using namespace chan;

using Bytes = std::vector<uint8_t>;

// `before` is cut or filled to what the plan looks at; then come the syscall and `behind`.
SitePlan plan(Bytes before, Bytes behind, uint64_t number = 39) {
  Bytes code(SITE_BEFORE_BYTES, 0x90);
  for (size_t i = 0; i < before.size(); ++i) code[SITE_BEFORE_BYTES - before.size() + i] = before[i];
  code.insert(code.end(), {0x0f, 0x05});
  code.insert(code.end(), behind.begin(), behind.end());
  code.resize(SITE_BEFORE_BYTES + SITE_AFTER_BYTES, 0x90);
  return plan_site(code, number);
}

const Bytes MOV_39 = {0xb8, 39, 0, 0, 0};

TEST(SitePlan, TakesMovOfTheNumber) {
  SitePlan p = plan(MOV_39, {0xc3});
  EXPECT_EQ(p.kind, SITE_BEFORE);
  EXPECT_EQ(p.number, 39u);
}

TEST(SitePlan, RefusesAnotherNumber) { EXPECT_EQ(plan(MOV_39, {0xc3}, 40).kind, SITE_NONE); }

TEST(SitePlan, RefusesAMovThatMayBeTheEndOfAnotherInstruction) {
  for (uint8_t b : {0x41, 0x48, 0x66, 0xf3, 0x0f, 0x8d, 0x8b})  // mov $39,%r8d; ...; lea 39(%rax),%edi
    EXPECT_EQ(plan({b, 0xb8, 39, 0, 0, 0}, {0xc3}).kind, SITE_NONE) << int{b};
}

TEST(SitePlan, TakesComparisonsBehind) {
  SitePlan p = plan({}, {0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff});  // cmp $-4095,%rax
  EXPECT_EQ(p.kind, SITE_AFTER);
  EXPECT_EQ(p.moved_size, 6);
  EXPECT_EQ(p.moved[1], 0x3d);
  EXPECT_EQ(plan({}, {0x48, 0x83, 0xf8, 0xfc}).kind, SITE_AFTER);  // cmp $-4,%rax
  EXPECT_EQ(plan({}, {0x48, 0x89, 0xc5}).kind, SITE_AFTER);        // mov %rax,%rbp
}

TEST(SitePlan, RefusesWhatCannotMove) {
  EXPECT_EQ(plan({}, {0xc3}).kind, SITE_NONE);                                      // ret
  EXPECT_EQ(plan({}, {0x85, 0xc0, 0x78, 0x02}).kind, SITE_NONE);                    // test %eax,%eax: 2 bytes
  EXPECT_EQ(plan({}, {0x0f, 0x84, 0, 1, 0, 0}).kind, SITE_NONE);                    // je
  EXPECT_EQ(plan({}, {0x8b, 0x05, 0, 1, 0, 0}).kind, SITE_NONE);                    // mov 256(%rip),%eax
  EXPECT_EQ(plan({}, {0x48, 0x8b, 0x44, 0x24, 8}).kind, SITE_NONE);                 // mov 8(%rsp),%rax
  EXPECT_EQ(plan({}, {0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}).kind, SITE_NONE);        // movabs: 10 bytes
  EXPECT_EQ(plan({}, {0x64, 0x48, 0x89, 0x04, 0x25, 0, 0, 0, 0}).kind, SITE_NONE);  // mov %rax,%fs:0
  EXPECT_EQ(plan({}, {0x0f, 0x0b, 0x90}).kind, SITE_NONE);                          // ud2
}

TEST(SitePlan, LooksForTheSyscall) {
  Bytes code(SITE_BEFORE_BYTES + SITE_AFTER_BYTES, 0x90);
  EXPECT_EQ(plan_site(code, 39).kind, SITE_NONE);
  EXPECT_EQ(plan_site(Bytes{0x0f, 0x05}, 39).kind, SITE_NONE);
}

TEST(SitePlan, JumpBehindTheSyscallMeetsAnInvalidOpcode) {
  const uint64_t site = 0x7ffff7e12345;
  const Bytes valid_targets = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f,
                               0x37, 0x3f, 0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xea};
  int reachable = 0;
  for (uint64_t slot = 0x7ffff8000000; slot < 0x7ffff8010000; slot += TRAMPOLINE_SIZE) {
    if (!trampoline_reaches(SITE_AFTER, site, slot)) continue;
    ++reachable;
    SiteJump j = site_jump(SITE_AFTER, site, slot);
    EXPECT_EQ(j.at, site);
    EXPECT_EQ(j.code[0], 0xe9);
    EXPECT_NE(std::find(valid_targets.begin(), valid_targets.end(), j.code[2]), valid_targets.end());
    int32_t d;
    std::memcpy(&d, j.code + 1, sizeof d);
    EXPECT_EQ(site + 5 + static_cast<uint64_t>(static_cast<int64_t>(d)), slot + T_AFTER);
  }
  EXPECT_GE(reachable, 60);  // 18 of 256 values, four slots each
}

TEST(SitePlan, KnowsItsReach) {
  EXPECT_TRUE(trampoline_reaches(SITE_BEFORE, 0x555555560000, 0x555553e00000));
  EXPECT_FALSE(trampoline_reaches(SITE_BEFORE, 0x7ffff7e12345, 0x555553e00000));
  EXPECT_FALSE(trampoline_reaches(SITE_BEFORE, 0x7fff77e12345, 0x7ffff8000000));
  EXPECT_TRUE(trampoline_reaches(SITE_BEFORE, 0x7fff78200000, 0x7ffff8000000));
}

TEST(SitePlan, BuildsTheTrampoline) {
  const uint64_t site = 0x7ffff7e12345, slot = 0x7ffff8000040;
  SitePlan p = plan({}, {0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff});
  uint8_t t[TRAMPOLINE_SIZE];
  build_trampoline(p, site, slot, 0x6f0000001000, t);
  auto disp = [&](uint64_t at) {
    int32_t d;
    std::memcpy(&d, t + at, sizeof d);
    return static_cast<uint64_t>(static_cast<int64_t>(d));
  };
  EXPECT_EQ(T_JUMP + disp(T_AFTER + 3), T_CONTINUE);
  EXPECT_EQ(T_JUMP + 6 + disp(T_JUMP + 2), T_ENTRY);
  EXPECT_EQ(slot + T_MOVED + disp(T_CONTINUE + 3), site + 2);
  EXPECT_EQ(std::memcmp(t + T_MOVED, p.moved, p.moved_size), 0);
  EXPECT_EQ(t[T_MOVED + p.moved_size], 0xe9);
  EXPECT_EQ(slot + T_MOVED + p.moved_size + 5 + disp(T_MOVED + p.moved_size + 1), site + 2 + p.moved_size);
  uint64_t after, entry;
  std::memcpy(&after, t + T_RETURN, 8);
  std::memcpy(&entry, t + T_ENTRY, 8);
  EXPECT_EQ(after, site + 2);
  EXPECT_EQ(entry, 0x6f0000001000u);
  EXPECT_EQ(t[T_KIND], SITE_AFTER);
  EXPECT_EQ(t[T_LENGTH], 6);
}

}  // namespace
}  // namespace starry
