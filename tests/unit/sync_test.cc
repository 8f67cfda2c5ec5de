#include "unit/fiber_world.h"

#include <string>
#include <vector>

namespace starry {
namespace {

class Sync : public FiberWorld {};

TEST_F(Sync, WaitEndsAtTheDeadline) {
  run({[&] {
    WaitQueue q;
    const uint64_t before = clock.now;
    EXPECT_EQ(wait_event(q, Deadline::after(5000), [] { return false; }).code(), ETIMEDOUT);
    EXPECT_EQ(clock.now, before + 5000);
  }});
}

TEST_F(Sync, DeadlineSaturates) {
  EXPECT_TRUE(Deadline::after(UINT64_MAX - 5).is_never());
  EXPECT_FALSE(Deadline::never().passed());
  EXPECT_TRUE(Deadline::at(clock.now).passed());
}

TEST_F(Sync, ExclusiveWaitersAreServedInOrder) {
  WaitQueue q;
  int tokens = 0;
  std::string order;
  const auto taker = [&](char name) {
    return [&, name] {
      EXPECT_TRUE(wait_event(
                      q, Deadline::never(), [&] { return tokens > 0; }, true)
                      .ok());
      --tokens;
      order += name;
    };
  };
  run({taker('a'), taker('b'), taker('c'), [&] {
         for (int i = 0; i < 3; ++i) {
           ++tokens;
           EXPECT_EQ(q.wake(), 1);
           pause();
         }
       }});
  EXPECT_EQ(order, "abc");
}

TEST_F(Sync, TwoWakesBeforeTheSleeperRunsReachTwoSleepers) {
  WaitQueue q;
  int tokens = 0, taken = 0;
  const auto taker = [&] {
    EXPECT_TRUE(wait_event(
                    q, Deadline::never(), [&] { return tokens > 0; }, true)
                    .ok());
    --tokens;
    ++taken;
  };
  run({taker, taker, [&] {
         tokens = 2;
         q.wake();
         q.wake();
       }});
  EXPECT_EQ(taken, 2);
}

TEST_F(Sync, MutexIsHandedOverInOrder) {
  Mutex m;
  std::string order;
  const auto user = [&](char name) {
    return [&, name] {
      MutexGuard g(m);
      order += name;
      pause(100);
      order += name;
    };
  };
  run({user('a'), user('b'), user('c')});
  EXPECT_EQ(order, "aabbcc");
  EXPECT_FALSE(m.locked());
}

TEST_F(Sync, TimersFireInOrderAndMayRearm) {
  std::string order;
  Timer b([&] { order += 'b'; });
  Timer* self = nullptr;
  Timer a([&] {
    order += 'a';
    if (order.size() < 4) self->arm(self->deadline() + 10);
  });
  self = &a;
  b.arm(clock.now + 15);
  a.arm(clock.now + 10);
  EXPECT_EQ(timer_queue().next_deadline(), clock.now + 10);
  EXPECT_EQ(timer_queue().fire(clock.now + 9), 0);
  EXPECT_EQ(timer_queue().fire(clock.now + 100), 4);
  EXPECT_EQ(order, "abaa");
  b.arm(clock.now + 5);
  b.disarm();
  EXPECT_FALSE(b.armed());
}

}  // namespace
}  // namespace starry
