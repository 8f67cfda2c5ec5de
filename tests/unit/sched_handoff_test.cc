// Whether a task waits for its waker to block, or goes to an idle CPU (sched/handoff.cc).
#include <gtest/gtest.h>
#include <sched.h>

#include "sched_world.h"

namespace starry {
namespace {

constexpr uint64_t US = 1'000;
constexpr uint64_t LONG = 500 * US;  // longer than anybody waits

struct TwoTasks {
  TwoTasks() {
    w.wake(a);
    EXPECT_EQ(w.running(0), "a");
  }
  void a_wakes_b() { w.sched.wake(b, w.now, &a), w.settle(); }

  SchedWorld w{2};
  SchedEntity& a = w.add("a", SCHED_OTHER, 0);
  SchedEntity& b = w.add("b", SCHED_OTHER, 0);
};

TEST(SchedHandoff, GetsTheCpuOfAWakerThatBlocks) {
  TwoTasks t;
  t.a_wakes_b();
  EXPECT_EQ(t.w.running(1), "");
  t.w.pass(5 * US);
  t.w.block(t.a);
  EXPECT_EQ(t.w.running(0), "b");
  EXPECT_TRUE(t.b.handed_over);
  // And back.
  t.w.sched.wake(t.a, t.w.now, &t.b), t.w.settle();
  t.w.block(t.b);
  EXPECT_EQ(t.w.running(0), "a");
  EXPECT_EQ(t.w.running(1), "");
}

TEST(SchedHandoff, GoesToAnIdleCpuIfTheWakerDoesNotBlock) {
  TwoTasks t;
  t.a_wakes_b();
  t.w.pass(LONG);
  EXPECT_EQ(t.w.running(0), "a");
  EXPECT_EQ(t.w.running(1), "b");
  EXPECT_FALSE(t.b.handed_over);
}

TEST(SchedHandoff, WakersThatDoNotBlockAreBelievedLess) {
  TwoTasks t;
  int waited = 0;
  for (int i = 0; i < 1000; ++i) {
    t.a_wakes_b();
    if (t.b.state == SchedEntity::State::queued) ++waited;
    t.w.pass(LONG);
    ASSERT_EQ(t.b.state, SchedEntity::State::running);
    t.w.block(t.b);
  }
  EXPECT_GT(waited, 1);
  EXPECT_LT(waited, 20);
  // One that begins to block is believed again at the next wake-up that counts.
  for (int i = 0; i < 200; ++i) {
    t.a_wakes_b();
    t.w.block(t.a);
    t.w.block(t.b);
    t.w.wake(t.a);
  }
  t.a_wakes_b();
  EXPECT_EQ(t.b.state, SchedEntity::State::queued);
}

TEST(SchedHandoff, OnlyOneWaitsForAWaker) {
  TwoTasks t;
  auto& c = t.w.add("c", SCHED_OTHER, 0);
  t.a_wakes_b();
  t.w.sched.wake(c, t.w.now, &t.a), t.w.settle();
  EXPECT_EQ(t.w.running(1), "c");
  t.w.block(t.a);
  EXPECT_EQ(t.w.running(0), "b");
}

TEST(SchedHandoff, RespectsAffinityAndRealTime) {
  TwoTasks t;
  CpuMask second;
  second.set(1);
  ASSERT_TRUE(t.w.sched.set_affinity(t.b, second, t.w.now).ok());
  t.a_wakes_b();
  EXPECT_EQ(t.w.running(1), "b");
  auto& rt = t.w.add("rt", SCHED_FIFO, 10);
  t.w.block(t.b);
  t.w.sched.wake(rt, t.w.now, &t.a), t.w.settle();
  EXPECT_EQ(rt.state, SchedEntity::State::running);
  EXPECT_EQ(t.w.running(0), "a");
}

TEST(SchedHandoff, AWakerThatExitsHandsItsCpuOver) {
  TwoTasks t;
  t.a_wakes_b();
  t.w.sched.remove(t.a, t.w.now), t.w.settle();
  EXPECT_EQ(t.w.running(0), "b");
}

TEST(SchedHandoff, OneThatStopsWaitingLeavesNothingBehind) {
  TwoTasks t;
  t.a_wakes_b();
  t.w.block(t.b);
  EXPECT_EQ(t.b.state, SchedEntity::State::blocked);
  t.w.pass(LONG);
  EXPECT_EQ(t.w.sched.next_tick(), UINT64_MAX);
  EXPECT_EQ(t.w.running(0), "a");
}

}  // namespace
}  // namespace starry
