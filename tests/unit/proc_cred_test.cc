// The rules of capabilities(7) and execve(2) for credentials.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/stat.h>

#include "emulated_kernel/task/cred.h"

namespace starry {
namespace {

constexpr uint64_t bit(int cap) { return 1ULL << cap; }

Ref<Cred> user() { return make_ref<Cred>(); }
Ref<Cred> root() {
  Ref<Cred> c = make_ref<Cred>();
  c->uid = c->euid = c->suid = c->fsuid = 0;
  c->gid = c->egid = c->sgid = c->fsgid = 0;
  c->cap_permitted = c->cap_effective = CAP_FULL;
  return c;
}

// "If one or more of the real, effective, or saved set user IDs was previously 0, and as a result of the
// UID changes all of these IDs have a nonzero value, then all capabilities are cleared".
TEST(ProcCred, LeavingRootDropsCapabilities) {
  const Ref<Cred> old = root();
  const Ref<Cred> next = old->copy();
  next->uid = next->euid = next->suid = 1000;
  next->cap_ambient = bit(CAP_CHOWN);
  fix_caps_after_setuid(*old, *next);
  EXPECT_EQ(next->cap_permitted, 0U);
  EXPECT_EQ(next->cap_effective, 0U);
  EXPECT_EQ(next->cap_ambient, 0U);
}

TEST(ProcCred, KeepCapsKeepsPermittedOnly) {
  const Ref<Cred> old = root();
  const Ref<Cred> next = old->copy();
  next->securebits = SECBIT_KEEP_CAPS;
  next->uid = next->euid = next->suid = 1000;
  fix_caps_after_setuid(*old, *next);
  EXPECT_EQ(next->cap_permitted, CAP_FULL);
  EXPECT_EQ(next->cap_effective, 0U);
}

TEST(ProcCred, EffectiveFollowsEffectiveId) {
  const Ref<Cred> old = root();
  const Ref<Cred> away = old->copy();
  away->euid = 1000;
  fix_caps_after_setuid(*old, *away);
  EXPECT_EQ(away->cap_permitted, CAP_FULL);
  EXPECT_EQ(away->cap_effective, 0U);
  const Ref<Cred> back = away->copy();
  back->euid = 0;
  fix_caps_after_setuid(*away, *back);
  EXPECT_EQ(back->cap_effective, CAP_FULL);
}

TEST(ProcCred, NoFixupWithSecurebit) {
  const Ref<Cred> old = root();
  const Ref<Cred> next = old->copy();
  next->securebits = SECBIT_NO_SETUID_FIXUP;
  next->uid = next->euid = next->suid = 1000;
  fix_caps_after_setuid(*old, *next);
  EXPECT_EQ(next->cap_effective, CAP_FULL);
}

TEST(ProcCred, ExecOfOrdinaryProgram) {
  const Ref<Cred> old = user();
  old->cap_permitted = old->cap_effective = bit(CAP_NET_BIND_SERVICE) | bit(CAP_SYS_NICE);
  old->cap_inheritable = old->cap_ambient = bit(CAP_NET_BIND_SERVICE);
  old->securebits = SECBIT_KEEP_CAPS;
  bool secure = true;
  const Ref<Cred> next = cred_for_exec(*old, S_IFREG | 0755, 0, 0, true, &secure);
  EXPECT_EQ(next->euid, 1000U);
  EXPECT_EQ(next->cap_permitted, bit(CAP_NET_BIND_SERVICE)) << "only ambient capabilities survive";
  EXPECT_EQ(next->cap_effective, bit(CAP_NET_BIND_SERVICE));
  EXPECT_EQ(next->securebits, 0U);
  EXPECT_FALSE(secure);
}

TEST(ProcCred, ExecOfSetUserIdRoot) {
  const Ref<Cred> old = user();
  old->cap_bounding = CAP_FULL & ~bit(CAP_SYS_ADMIN);
  bool secure = false;
  const Ref<Cred> next = cred_for_exec(*old, S_IFREG | S_ISUID | 0755, 0, 0, true, &secure);
  EXPECT_EQ(next->uid, 1000U);
  EXPECT_EQ(next->euid, 0U);
  EXPECT_EQ(next->suid, 0U);
  EXPECT_EQ(next->cap_effective, CAP_FULL & ~bit(CAP_SYS_ADMIN)) << "limited by the bounding set";
  EXPECT_TRUE(secure);
}

TEST(ProcCred, ExecWithoutPrivilegeIgnoresTheBits) {
  bool secure = true;
  const Ref<Cred> next = cred_for_exec(*user(), S_IFREG | S_ISUID | S_ISGID | 0755, 0, 0, false, &secure);
  EXPECT_EQ(next->euid, 1000U);
  EXPECT_EQ(next->egid, 1000U);
  EXPECT_FALSE(secure);
}

TEST(ProcCred, ExecOfSetGroupId) {
  bool secure = false;
  EXPECT_EQ(cred_for_exec(*user(), S_IFREG | S_ISGID | 0755, 0, 42, true, &secure)->egid, 42U);
  EXPECT_TRUE(secure);
  EXPECT_EQ(cred_for_exec(*user(), S_IFREG | S_ISGID | 0745, 0, 42, true, &secure)->egid, 1000U)
      << "without group execute the bit means mandatory locking";
}

TEST(ProcCred, ExecAsRootKeepsAll) {
  bool secure = true;
  const Ref<Cred> next = cred_for_exec(*root(), S_IFREG | 0755, 0, 0, true, &secure);
  EXPECT_EQ(next->cap_effective, CAP_FULL);
  EXPECT_FALSE(secure);
  const Ref<Cred> old = root();
  old->securebits = SECBIT_NOROOT;
  EXPECT_EQ(cred_for_exec(*old, S_IFREG | 0755, 0, 0, true, &secure)->cap_effective, 0U);
}

TEST(ProcCred, Groups) {
  const Ref<Cred> c = user();
  c->groups = {4, 27};
  EXPECT_TRUE(c->in_group(1000));
  EXPECT_TRUE(c->in_group(27));
  EXPECT_FALSE(c->in_group(5));
}

TEST(ProcCred, TheSameOnlyIfNothingDiffers) {
  EXPECT_TRUE(user()->same_as(*user()));
  EXPECT_TRUE(root()->same_as(*root()->copy()));
  EXPECT_FALSE(user()->same_as(*root()));
  const auto differs = [](auto change) {
    const Ref<Cred> c = user();
    change(*c);
    return !c->same_as(*user()) && c->copy()->same_as(*c);
  };
  EXPECT_TRUE(differs([](Cred& c) { c.suid = 0; }));
  EXPECT_TRUE(differs([](Cred& c) { c.fsgid = 0; }));
  EXPECT_TRUE(differs([](Cred& c) { c.groups = {27}; }));
  EXPECT_TRUE(differs([](Cred& c) { c.cap_permitted = bit(CAP_KILL); }));
  EXPECT_TRUE(differs([](Cred& c) { c.cap_bounding = 0; }));
  EXPECT_TRUE(differs([](Cred& c) { c.securebits = SECBIT_NOROOT; }));
}

}  // namespace
}  // namespace starry
