// CPUs that are left to the kernel thread (Scheduler::keep_free).
#include <gtest/gtest.h>
#include <sched.h>

#include "sched_world.h"

namespace starry {
namespace {

CpuMask cpu(size_t n) { return CpuMask().set(n); }

TEST(SchedKeepFree, FairTasksTakeTurnsOnTheOthers) {
  SchedWorld w{2};
  SchedEntity& a = w.add("a", SCHED_OTHER, 0);
  SchedEntity& b = w.add("b", SCHED_OTHER, 0);
  w.wake(a), w.wake(b);
  EXPECT_EQ(w.running(0) + w.running(1), "ab");
  w.sched.keep_free(cpu(1), w.now), w.settle();
  EXPECT_EQ(w.running(0), "a");
  EXPECT_EQ(w.running(1), "");
  w.block(a);
  EXPECT_EQ(w.running(0), "b");
  w.wake(a);
  EXPECT_EQ(w.running(1), "");
  w.pass(100'000'000);  // several slices
  EXPECT_EQ(w.running(1), "");
  EXPECT_GT(a.sum_exec_ns, 20'000'000U);
  EXPECT_GT(b.sum_exec_ns, 20'000'000U);
  w.sched.keep_free({}, w.now), w.settle();
  EXPECT_NE(w.running(1), "");
}

TEST(SchedKeepFree, WaitingTasksMoveAway) {
  SchedWorld w{2};
  SchedEntity& a = w.add("a", SCHED_OTHER, 0);
  SchedEntity& b = w.add("b", SCHED_OTHER, 0);
  SchedEntity& c = w.add("c", SCHED_OTHER, 0);
  w.wake(a), w.wake(b), w.wake(c);
  w.sched.keep_free(cpu(0), w.now), w.settle();
  EXPECT_EQ(w.running(0), "");
  EXPECT_NE(w.running(1), "");
  EXPECT_EQ(w.sched.queued(1), 2);
}

TEST(SchedKeepFree, WhoMayNotRunElsewhereAndRealTimeTasksStay) {
  SchedWorld w{2};
  SchedEntity& bound = w.add("bound", SCHED_OTHER, 0);
  SchedEntity& rt = w.add("rt", SCHED_FIFO, 5);
  SchedEntity& rt2 = w.add("rt2", SCHED_FIFO, 5);
  ASSERT_TRUE(w.sched.set_affinity(bound, cpu(1), w.now).ok());
  w.sched.keep_free(cpu(1), w.now);
  w.wake(bound);
  EXPECT_EQ(w.running(1), "bound");
  w.wake(rt);
  EXPECT_EQ(w.running(0), "rt");
  w.wake(rt2);
  EXPECT_EQ(w.running(1), "rt2");
  w.block(rt2);
  EXPECT_EQ(w.running(1), "bound");
}

}  // namespace
}  // namespace starry
