// The scheduler's rules one by one, on a virtual clock. Expected orders are those of sched(7).
#include <gtest/gtest.h>
#include <sched.h>

#include <string>

#include "sched_world.h"
#include "unit/times.h"

namespace starry {
namespace {

TEST(Scheduler, MissionExample) {
  // Four tasks of priority 99, 99, 5 and 1 on one CPU; a and b sleep, a wakes first. c (5) runs while
  // they sleep. a pre-empts it at once and runs until it blocks, then b (behind a at the same
  // priority), then c goes on, then d.
  SchedWorld w(1);
  auto& a = w.add("a", SCHED_FIFO, 99);
  auto& b = w.add("b", SCHED_FIFO, 99);
  auto& c = w.add("c", SCHED_FIFO, 5);
  auto& d = w.add("d", SCHED_FIFO, 1);
  w.wake(d);
  EXPECT_EQ(w.running(0), "d");
  w.wake(c);
  EXPECT_EQ(w.running(0), "c");
  w.wake(a);
  EXPECT_EQ(w.running(0), "a");
  w.wake(b);
  EXPECT_EQ(w.running(0), "a");
  w.pass(1000 * MS);
  EXPECT_EQ(w.running(0), "a");
  w.block(a);
  EXPECT_EQ(w.running(0), "b");
  w.block(b);
  EXPECT_EQ(w.running(0), "c");
  w.block(c);
  EXPECT_EQ(w.running(0), "d");
  EXPECT_EQ(w.order(), "d c a b c d");
}

TEST(Scheduler, PreemptedFifoTaskKeepsItsPlace) {
  SchedWorld w(1);
  auto& a = w.add("a", SCHED_FIFO, 10);
  auto& b = w.add("b", SCHED_FIFO, 10);
  auto& high = w.add("high", SCHED_FIFO, 20);
  w.wake(a);
  w.wake(b);
  w.wake(high);
  w.block(high);
  EXPECT_EQ(w.running(0), "a");
  w.yield(a);
  EXPECT_EQ(w.running(0), "b");
  w.yield(b);
  EXPECT_EQ(w.running(0), "a");
}

TEST(Scheduler, RoundRobinSlices) {
  SchedWorld w(1);
  auto& a = w.add("a", SCHED_RR, 10);
  auto& b = w.add("b", SCHED_RR, 10);
  auto& high = w.add("high", SCHED_FIFO, 20);
  w.wake(a);
  w.wake(b);
  w.pass(60 * MS);
  w.wake(high);  // a keeps the remaining 40 ms
  w.pass(500 * MS);
  w.block(high);
  EXPECT_EQ(w.running(0), "a");
  w.pass(39 * MS);
  EXPECT_EQ(w.running(0), "a");
  w.pass(2 * MS);
  EXPECT_EQ(w.running(0), "b");
  w.pass(100 * MS);
  EXPECT_EQ(w.running(0), "a");
}

TEST(Scheduler, PriorityChangesMoveByDirection) {
  SchedWorld w(1);
  auto& a = w.add("a", SCHED_FIFO, 50);
  auto& b = w.add("b", SCHED_FIFO, 10);
  auto& c = w.add("c", SCHED_FIFO, 20);
  auto& d = w.add("d", SCHED_FIFO, 15);
  for (auto* t : {&a, &b, &c, &d}) w.wake(*t);
  w.set_policy(c, SCHED_FIFO, 15);  // lowered: before d
  w.set_policy(b, SCHED_FIFO, 15);  // raised: behind d
  w.block(a);
  EXPECT_EQ(w.running(0), "c");
  w.block(c);
  EXPECT_EQ(w.running(0), "d");
  w.block(d);
  EXPECT_EQ(w.running(0), "b");
}

TEST(Scheduler, LoweringTheRunningTaskGivesWay) {
  SchedWorld w(1);
  auto& a = w.add("a", SCHED_FIFO, 50);
  auto& b = w.add("b", SCHED_FIFO, 10);
  w.wake(a);
  w.wake(b);
  w.set_policy(a, SCHED_OTHER, 0);
  EXPECT_EQ(w.running(0), "b");
  w.block(b);
  EXPECT_EQ(w.running(0), "a");
}

TEST(Scheduler, PriorityInheritanceBoostsAnOtherTask) {
  SchedWorld w(1);
  auto& owner = w.add("owner", SCHED_OTHER, 0);
  auto& mid = w.add("mid", SCHED_FIFO, 10);
  w.wake(owner);
  w.wake(mid);
  EXPECT_EQ(w.running(0), "mid");
  w.sched.set_pi_priority(owner, 30, w.now);
  w.settle();
  EXPECT_EQ(w.running(0), "owner");
  w.sched.set_pi_priority(owner, 0, w.now);
  w.settle();
  EXPECT_EQ(w.running(0), "mid");
}

TEST(Scheduler, WakesOnTheLastCpuElseOnAnIdleOne) {
  SchedWorld w(3);
  auto& a = w.add("a", SCHED_OTHER, 0);
  auto& b = w.add("b", SCHED_OTHER, 0);
  w.wake(a);
  const int first = a.cpu;
  w.block(a);
  w.wake(a);
  EXPECT_EQ(a.cpu, first);
  w.block(a);
  b.cpu = first;
  w.wake(b);
  EXPECT_EQ(b.cpu, first);
  w.wake(a);
  EXPECT_NE(a.cpu, first);
  EXPECT_EQ(a.state, SchedEntity::State::running);
}

TEST(Scheduler, AffinityMovesAtOnce) {
  SchedWorld w(20);
  auto& a = w.add("a", SCHED_OTHER, 0);
  w.wake(a);
  for (int cpu = 19; cpu >= 0; cpu--) {
    CpuMask one;
    one.set(static_cast<size_t>(cpu));
    ASSERT_TRUE(w.sched.set_affinity(a, one, w.now).ok());
    w.settle();
    EXPECT_EQ(w.running(cpu), "a");
  }
  CpuMask none;
  none.set(20);
  EXPECT_EQ(w.sched.set_affinity(a, none, w.now).code(), EINVAL);
}

TEST(Scheduler, IdleCpuPullsWaitingWork) {
  SchedWorld w(2);
  auto& a = w.add("a", SCHED_OTHER, 0);
  auto& b = w.add("b", SCHED_OTHER, 0);
  auto& c = w.add("c", SCHED_OTHER, 0);
  for (auto* t : {&a, &b, &c}) w.wake(*t);
  auto& other = c.cpu == a.cpu ? b : a;
  w.block(other);
  EXPECT_EQ(c.state, SchedEntity::State::running);
  EXPECT_EQ(w.sched.nr_running(), 2);
}

TEST(Scheduler, NiceValuesShareTheCpu) {
  // Ten steps of nice are a factor of 1.25^10 = 9.3.
  SchedWorld w(1);
  auto& fast = w.add("fast", SCHED_OTHER, 0);
  auto& slow = w.add("slow", SCHED_OTHER, 0);
  w.sched.set_policy(slow, SCHED_OTHER, 0, 10, w.now);
  w.wake(fast);
  w.wake(slow);
  w.pass(20000 * MS);
  w.block(fast);
  w.block(slow);
  const double ratio = static_cast<double>(fast.sum_exec_ns) / static_cast<double>(slow.sum_exec_ns);
  EXPECT_NEAR(ratio, 9.3, 0.5);
}

TEST(Scheduler, EqualTasksShareEqually) {
  SchedWorld w(1);
  std::vector<SchedEntity*> all;
  for (int i = 0; i < 5; i++) {
    all.push_back(&w.add(std::to_string(i), SCHED_OTHER, 0));
    w.wake(*all.back());
  }
  w.pass(5000 * MS);
  for (auto* t : all) w.block(*t);
  for (auto* t : all) EXPECT_NEAR(static_cast<double>(t->sum_exec_ns), 1e9, 1e7);
}

TEST(Scheduler, SleeperTakesOverFromAHog) {
  SchedWorld w(1);
  auto& hog = w.add("hog", SCHED_OTHER, 0);
  auto& sleeper = w.add("sleeper", SCHED_OTHER, 0);
  auto& batch = w.add("batch", SCHED_BATCH, 0);
  w.wake(hog);
  w.pass(100 * MS);
  w.wake(sleeper);
  EXPECT_EQ(w.running(0), "sleeper");
  w.block(sleeper);
  w.pass(100 * MS);
  w.wake(batch);  // SCHED_BATCH waits for its turn
  EXPECT_EQ(w.running(0), "hog");
  w.pass(5 * MS);
  EXPECT_EQ(w.running(0), "batch");
}

TEST(Scheduler, IdlePolicyGivesWayAtOnce) {
  SchedWorld w(1);
  auto& idle = w.add("idle", SCHED_IDLE, 0);
  auto& normal = w.add("normal", SCHED_OTHER, 0);
  w.wake(idle);
  w.wake(normal);
  EXPECT_EQ(w.running(0), "normal");
}

TEST(Scheduler, YieldLetsAnEqualRun) {
  SchedWorld w(1);
  auto& a = w.add("a", SCHED_OTHER, 0);
  auto& b = w.add("b", SCHED_OTHER, 0);
  w.wake(a);
  w.wake(b);
  for (int i = 0; i < 4; i++) {
    w.yield(*w.sched.current_on(0));
  }
  EXPECT_EQ(w.order(), "a b a b a");
}

TEST(Scheduler, ForkInheritsAndResets) {
  SchedWorld w(2);
  SchedEntity parent, child;
  w.sched.init_task(parent);
  parent.policy = SCHED_FIFO;
  parent.rt_priority = 7;
  parent.nice = -3;
  parent.affinity.reset();
  parent.affinity.set(1);
  w.sched.fork_task(child, parent);
  EXPECT_EQ(child.policy, SCHED_FIFO);
  EXPECT_EQ(child.rt_priority, 7);
  EXPECT_EQ(child.affinity, parent.affinity);
  parent.reset_on_fork = true;
  SchedEntity reset;
  w.sched.fork_task(reset, parent);
  EXPECT_EQ(reset.policy, SCHED_OTHER);
  EXPECT_EQ(reset.rt_priority, 0);
  EXPECT_EQ(reset.nice, 0);
  EXPECT_FALSE(reset.reset_on_fork);
}

TEST(Scheduler, TimeAccounts) {
  SchedWorld w(2);
  auto& a = w.add("a", SCHED_OTHER, 0);
  w.wake(a);
  w.pass(30 * MS);
  w.block(a);
  w.pass(70 * MS);
  EXPECT_EQ(w.sched.busy_ns(a.cpu, w.now), 30 * MS);
  EXPECT_EQ(w.sched.idle_ns(a.cpu, w.now), 70 * MS);
  EXPECT_EQ(w.sched.idle_ns(1 - a.cpu, w.now), 100 * MS);
  EXPECT_EQ(a.nvcsw, 1u);
  EXPECT_EQ(a.nivcsw, 0u);
}

TEST(Scheduler, TimeSleptOnACpuIsIdleTime) {
  SchedWorld w(1);
  auto& a = w.add("a", SCHED_OTHER, 0);
  w.wake(a);
  w.pass(30 * MS);
  w.sched.slept(a, 20 * MS, w.now);
  EXPECT_EQ(w.sched.idle_ns(0, w.now), 20 * MS);
  w.sched.slept(a, 20 * MS, w.now);  // only 10 ms are not accounted for yet
  EXPECT_EQ(w.sched.idle_ns(0, w.now), 30 * MS);
  w.pass(5 * MS);
  w.block(a);
  w.sched.slept(a, 5 * MS, w.now);  // does not hold a CPU
  EXPECT_EQ(w.sched.busy_ns(0, w.now), 5 * MS);
  EXPECT_EQ(a.sum_exec_ns, 5 * MS);
}

TEST(Scheduler, NoTickWithoutCompetitors) {
  SchedWorld w(2);
  auto& a = w.add("a", SCHED_RR, 10);
  auto& b = w.add("b", SCHED_OTHER, 0);
  w.wake(a);
  w.wake(b);
  EXPECT_EQ(w.sched.next_tick(), UINT64_MAX);
}

}  // namespace
}  // namespace starry
