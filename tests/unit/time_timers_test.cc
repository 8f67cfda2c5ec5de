// Timers on a manual clock: one shot, periods, what is left, overruns, CPU clocks, execve.
#include <sys/time.h>

#include <csignal>

#include "emulated_kernel/kernel.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/time/posix_timers.h"
#include "unit/fake_host.h"
#include "unit/fiber_world.h"
#include "unit/times.h"

namespace starry {
namespace {

class Timers : public FiberWorld {
 protected:
  Timers() : kernel_(KernelConfig{.cpus = 2}) {
    group = make_ref<ThreadGroup>(alloc_pid());
    group->parent = &init_group();
    group->session = make_ref<Session>(group->tgid);
    group->signals.handlers = make_ref<SigHandlers>();
    register_group(*group);
    Ref<Task> t = make_ref<Task>(group->tgid, group);
    t->cred = make_ref<Cred>();
    scheduler().init_task(t->se);
    t->host = std::make_unique<FakeHost>();
    register_task(t);
    main = t.get();
    main->sig.blocked = ~SigSet{0};
  }
  ~Timers() override {
    group->timers.reset();
    scheduler().remove(main->se, clock.now);
    unregister_task(*main);
    unregister_group(*group);
  }
  // Lets time pass, firing what is due on the way.
  void pass(uint64_t ns) {
    const uint64_t end = clock.now + ns;
    while (timer_queue().next_deadline() <= end) {
      clock.now = std::max(clock.now, timer_queue().next_deadline());
      timer_queue().fire(clock.now);
    }
    clock.now = end;
  }
  PosixTimers& timers() { return PosixTimers::of(*group); }
  PosixTimer& make(PosixTimer::Notify n, Clock c = {}) {
    return *timers().find(timers().create(c, n, false, 100).value());
  }
  bool take(int signo, SigInfo* info) { return dequeue_signal(*main, sigbit(signo), info); }

  Kernel kernel_;
  Ref<ThreadGroup> group;
  Task* main;
};

TEST_F(Timers, OnceAndPeriodic) {
  uint64_t fired = 0;
  ClockTimer timer([&](uint64_t n) { fired += n; });
  const Clock mono;
  timer.start(mono, clock.now + 5 * MS, 0);
  EXPECT_EQ(timer.remaining(), 5 * MS);
  pass(4 * MS);
  EXPECT_EQ(timer.remaining(), MS);
  EXPECT_EQ(fired, 0u);
  pass(MS);
  EXPECT_EQ(fired, 1u);
  EXPECT_EQ(timer.remaining(), 0u);

  timer.start(mono, clock.now + MS, 10 * MS);
  pass(45 * MS);
  EXPECT_EQ(fired, 1u + 5);
  EXPECT_EQ(timer.remaining(), 6 * MS);
  // The kernel was away: all periods count at once.
  clock.now += 100 * MS;
  timer_queue().fire(clock.now);
  EXPECT_EQ(fired, 6u + 10);
  timer.stop();
  pass(100 * MS);
  EXPECT_EQ(fired, 16u);
}

TEST_F(Timers, ShortPeriodsDoNotFloodTheKernel) {
  uint64_t calls = 0, periods = 0;
  ClockTimer timer([&](uint64_t n) { ++calls, periods += n; });
  timer.start(Clock{}, clock.now + 1, 1);
  pass(MS);
  EXPECT_LE(calls, 52u);
  EXPECT_GT(periods, 900'000u);
}

TEST_F(Timers, WithoutCallbackItOnlyShows) {
  ClockTimer timer(nullptr);
  timer.start(Clock{}, clock.now + 5 * MS, 10 * MS);
  EXPECT_EQ(timer_queue().next_deadline(), UINT64_MAX);
  pass(7 * MS);
  EXPECT_EQ(timer.remaining(), 8 * MS);
  timer.start(Clock{}, clock.now + 5 * MS, 0);
  pass(7 * MS);
  EXPECT_EQ(timer.remaining(), 0u);
}

TEST_F(Timers, AbsoluteRealTime) {
  const Clock real{.base = Clock::Base::realtime};
  PosixTimer& t = make({.signo = SIGUSR1, .value = 7}, real);
  t.set({platform().realtime_ns() + 3 * MS, 0}, true);
  SigInfo info;
  pass(3 * MS - 1);
  EXPECT_FALSE(take(SIGUSR1, &info));
  pass(1);
  ASSERT_TRUE(take(SIGUSR1, &info));
  EXPECT_EQ(info.code, SI_TIMER);
  EXPECT_EQ(info.timer.value, 7u);
}

TEST_F(Timers, OverrunsAreCountedWhileTheSignalIsPending) {
  PosixTimer& t = make({.signo = SIGRTMIN});
  t.set({MS, MS}, false);
  pass(5 * MS);
  SigInfo info;
  EXPECT_EQ(t.overrun(), 0);  // nothing delivered yet
  ASSERT_TRUE(take(SIGRTMIN, &info));
  EXPECT_EQ(info.timer.overrun, 4);
  EXPECT_EQ(t.overrun(), 4);
  EXPECT_FALSE(take(SIGRTMIN, &info));  // one signal, however many periods
  pass(2 * MS);
  EXPECT_EQ(t.overrun(), 4);
  ASSERT_TRUE(take(SIGRTMIN, &info));
  EXPECT_EQ(info.timer.overrun, 1);
  EXPECT_EQ(t.overrun(), 1);
}

TEST_F(Timers, IntervalTimerAndExec) {
  timers().set_interval_timer(ITIMER_REAL, {10 * MS, 10 * MS});
  PosixTimer& t = make({.signo = SIGUSR1});
  t.set({10 * MS, 0}, false);
  posix_timers_exec(*group);
  pass(10 * MS);
  SigInfo info;
  EXPECT_TRUE(take(SIGALRM, &info));
  EXPECT_EQ(info.code, SI_KERNEL);
  EXPECT_FALSE(take(SIGUSR1, &info));
  EXPECT_EQ(timers().get_interval_timer(ITIMER_REAL).value_ns, 10 * MS);
  timers().set_interval_timer(ITIMER_REAL, {});
  EXPECT_EQ(timers().get_interval_timer(ITIMER_REAL).interval_ns, 0u);
}

TEST_F(Timers, CpuTimersFollowTheWorkAndRestWithIt) {
  timers().set_interval_timer(ITIMER_VIRTUAL, {50 * MS, 0});
  SigInfo info;
  int wakes = 0;
  for (uint64_t end = clock.now + 1000 * MS; timer_queue().next_deadline() <= end; wakes++) {
    clock.now = timer_queue().next_deadline();
    timer_queue().fire(clock.now);
  }
  EXPECT_FALSE(take(SIGVTALRM, &info));
  EXPECT_LT(wakes, 80);  // nobody works: it looks every 20 ms
  main->utime_ns += 50 * MS;
  pass(25 * MS);
  EXPECT_TRUE(take(SIGVTALRM, &info));
}

TEST_F(Timers, LimitAndRemoval) {
  EXPECT_TRUE(timers().create(Clock{}, {.signo = SIGUSR1}, false, 1).ok());
  EXPECT_EQ(timers().create(Clock{}, {.signo = SIGUSR1}, false, 1).code(), EAGAIN);
  EXPECT_TRUE(timers().remove(0));
  EXPECT_FALSE(timers().remove(0));
  EXPECT_EQ(timers().find(0), nullptr);
}

}  // namespace
}  // namespace starry
