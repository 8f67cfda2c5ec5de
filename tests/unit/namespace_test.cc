#include <gtest/gtest.h>
#include <linux/capability.h>

#include "emulated_kernel/task/cred.h"
#include "emulated_kernel/task/pid_namespace.h"

namespace starry {

namespace {

Ref<Cred> cred_of(uint32_t id) {
  auto c = make_ref<Cred>();
  c->uid = c->euid = c->suid = c->fsuid = c->gid = c->egid = c->sgid = c->fsgid = id;
  return c;
}

// Credentials of `by` in a user namespace of its own.
Ref<Cred> in_new_ns(const Cred& by) {
  Ref<Cred> c = by.copy();
  EXPECT_TRUE(create_user_ns(*c, false).ok());
  return c;
}

UserNamespace& ns_of(const Cred& c) { return const_cast<UserNamespace&>(*c.user_ns); }

TEST(UserNamespaceTest, MapsTranslateBothWays) {
  const Ref<Cred> root = cred_of(0);
  root->cap_permitted = root->cap_effective = CAP_FULL;
  const Ref<Cred> inner = in_new_ns(*root);
  UserNamespace& ns = ns_of(*inner);
  EXPECT_EQ(ns.kuid(0), NO_ID);
  EXPECT_EQ(ns.uid(0), OVERFLOW_ID);
  ASSERT_TRUE(write_id_map(ns, IdKind::uid, *root, *root, "0 100000 1000\n2000 5 1\n").ok());
  EXPECT_EQ(ns.kuid(999), 100999u);
  EXPECT_EQ(ns.kuid(1000), NO_ID);
  EXPECT_EQ(ns.kuid(2000), 5u);
  EXPECT_EQ(ns.uid(100000), 0u);
  EXPECT_EQ(ns.uid(5), 2000u);
  EXPECT_EQ(ns.uid(6), OVERFLOW_ID);
  // Below it, only what it has itself can be mapped, in one piece.
  Ref<Cred> in_it = root->copy();
  enter_user_ns(*in_it, &ns);
  in_it->euid = 100000, in_it->egid = NO_ID;
  EXPECT_EQ(create_user_ns(*in_it->copy(), false).code(), EPERM);  // its group has no id
  ASSERT_TRUE(write_id_map(ns, IdKind::gid, *root, *root, "0 100000 10").ok());
  in_it->egid = 100000;
  const Ref<Cred> deeper = in_new_ns(*in_it);
  EXPECT_EQ(write_id_map(ns_of(*deeper), IdKind::uid, *root, *root, "0 0 1").code(),
            EPERM);  // not its parent
  EXPECT_EQ(write_id_map(ns_of(*deeper), IdKind::uid, *in_it, *in_it, "0 999 2").code(), EPERM);
  ASSERT_TRUE(write_id_map(ns_of(*deeper), IdKind::uid, *in_it, *in_it, "7 998 2").ok());
  EXPECT_EQ(deeper->user_ns->kuid(8), 100999u);
}

TEST(UserNamespaceTest, AFileThatAnotherHasOpenedGivesNoMore) {
  const Ref<Cred> root = cred_of(0), alice = cred_of(1000);
  root->cap_permitted = root->cap_effective = CAP_FULL;
  const Ref<Cred> inner = in_new_ns(*alice);
  EXPECT_EQ(write_id_map(ns_of(*inner), IdKind::uid, *inner, *root, "0 1001 1").code(), EPERM);
  EXPECT_EQ(write_id_map(ns_of(*inner), IdKind::uid, *alice, *root, "0 0 1").code(), EPERM);
  EXPECT_TRUE(write_id_map(ns_of(*inner), IdKind::uid, *alice, *root, "0 1000 1").ok());
}

TEST(UserNamespaceTest, CapabilitiesHoldInsideAndBelow) {
  const Ref<Cred> alice = cred_of(1000), bob = cred_of(1001);
  const Ref<Cred> inner = in_new_ns(*alice);
  ASSERT_TRUE(write_setgroups(ns_of(*inner), *alice, "deny").ok());
  for (const IdKind kind : {IdKind::uid, IdKind::gid})
    ASSERT_TRUE(write_id_map(ns_of(*inner), kind, *alice, *alice, "0 1000 1").ok());
  const Ref<Cred> deeper = in_new_ns(*inner);
  const UserNamespace& top = *initial_user_ns();
  EXPECT_FALSE(inner->capable(CAP_SYS_ADMIN));
  EXPECT_FALSE(inner->capable_in(top, CAP_SYS_ADMIN));
  EXPECT_TRUE(inner->capable_in(*inner->user_ns, CAP_SYS_ADMIN));
  EXPECT_TRUE(inner->capable_in(*deeper->user_ns, CAP_SYS_ADMIN));
  EXPECT_FALSE(deeper->capable_in(*inner->user_ns, CAP_SYS_ADMIN));
  // Who made it; not who did not.
  EXPECT_TRUE(alice->capable_in(*deeper->user_ns, CAP_SYS_ADMIN));
  EXPECT_FALSE(bob->capable_in(*inner->user_ns, CAP_SYS_ADMIN));
  EXPECT_FALSE(in_new_ns(*alice)->capable_in(*inner->user_ns, CAP_SYS_ADMIN));
  EXPECT_TRUE(caps_within(*alice, *inner));
  EXPECT_FALSE(caps_within(*bob, *inner));
}

TEST(PidNamespaceTest, NumbersOnEveryLevel) {
  const auto outer = make_ref<PidNamespace>(initial_pid_ns(), initial_user_ns());
  const auto inner = make_ref<PidNamespace>(outer, initial_user_ns());
  ASSERT_TRUE(assign_numbers(*outer, 500, {}).ok());
  EXPECT_EQ(assign_numbers(*inner, 501, {7}).code(), EINVAL);  // process 1 comes first
  EXPECT_EQ(outer->number(501), 0);
  ASSERT_TRUE(assign_numbers(*inner, 501, {}).ok());
  EXPECT_EQ(outer->number(500), 1);
  EXPECT_EQ(inner->number(500), 0);
  EXPECT_EQ(inner->number(501), 1);
  EXPECT_EQ(outer->id(outer->number(501)), 501);
  EXPECT_EQ(initial_pid_ns()->number(501), 501);
  EXPECT_TRUE(inner->is_below(*outer));
  EXPECT_FALSE(outer->is_below(*inner));
  EXPECT_EQ(outer->add(502, 1).code(), EEXIST);
  drop_numbers(*inner, 501);
  EXPECT_EQ(inner->id(1), 0);
  EXPECT_EQ(outer->number(501), 0);
  outer->closed = true;
  EXPECT_EQ(assign_numbers(*outer, 503, {}).code(), ENOMEM);
}

}  // namespace

}  // namespace starry
