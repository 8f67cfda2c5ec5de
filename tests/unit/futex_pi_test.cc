// Priority-inheritance futexes with real tasks: hand-over by priority, inheritance through chains, owner
// death. (Natively FUTEX_LOCK_PI's effect on priorities needs a privilege that tests lack.)
#include "emulated_kernel/futex/pi.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>

#include <cstring>

#include "emulated_kernel/kernel.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/task/pid_table.h"
#include "unit/fake_host.h"
#include "unit/fiber_world.h"
#include "unit/times.h"

namespace starry {
namespace {

constexpr uint64_t PI_PAGE = 0x100000;

class FakeSpace final : public HostSpace {
 public:
  uint8_t page[4096] = {};
  Result<size_t> peek(uint64_t addr, void* dst, size_t n) override {
    std::memcpy(dst, page + (addr - PI_PAGE), n);
    return n;
  }
  Result<size_t> poke(uint64_t addr, const void* src, size_t n) override {
    std::memcpy(page + (addr - PI_PAGE), src, n);
    return n;
  }
  int host_pid() const override { return 0; }
};

// FakeHost that exchanges words in the fake memory.
class WordHost final : public FakeHost {
 public:
  explicit WordHost(FakeSpace& space) : space_(space) {}
  Result<int64_t> run_ops(std::span<const HostOp> ops) override {
    const HostOp& op = ops.front();
    if (op.nr != HostOp::CMPXCHG32) return Error{ENOSYS};
    uint32_t old = 0;
    const auto desired = static_cast<uint32_t>(op.args[2]);
    (void)space_.peek(op.args[0], &old, sizeof old);
    if (old == static_cast<uint32_t>(op.args[1])) (void)space_.poke(op.args[0], &desired, sizeof desired);
    return old;
  }

 private:
  FakeSpace& space_;
};

class PiFutex : public FiberWorld {
 protected:
  PiFutex() : kernel_(KernelConfig{.cpus = 8}), space(make_ref<FakeSpace>()), mm(make_ref<Mm>(space)) {
    Vma v;
    v.start = PI_PAGE, v.end = PI_PAGE + 4096, v.prot = PROT_READ | PROT_WRITE, v.flags = MAP_PRIVATE;
    mm->adopt(v);
    group = make_ref<ThreadGroup>(alloc_pid());
    group->parent = &init_group();
    group->session = make_ref<Session>(group->tgid);
    group->signals.handlers = make_ref<SigHandlers>();
    register_group(*group);
  }
  ~PiFutex() override {
    for (Task* t : std::vector<Task*>(group->threads)) {
      scheduler().remove(t->se, clock.now);
      unregister_task(*t);
    }
    unregister_group(*group);
  }

  Task& thread(int fifo_priority) {
    Ref<Task> t = make_ref<Task>(alloc_pid(), group);
    t->cred = make_ref<Cred>();
    t->mm = mm;
    scheduler().init_task(t->se);
    if (fifo_priority > 0) scheduler().set_policy(t->se, SCHED_FIFO, fifo_priority, 0, clock.now);
    register_task(t);
    t->host = std::make_unique<WordHost>(*space);
    scheduler().wake(t->se, clock.now);
    return *t;
  }

  // Runs kernel code of tasks side by side. They hold CPUs from the start.
  using Code = std::pair<Task*, std::function<void(Task&)>>;
  void run_tasks(std::initializer_list<Code> pieces) {
    while (scheduler().pick(clock.now) > 0) {
    }
    size_t left = pieces.size();
    for (const Code& c : pieces) {
      kthread_run([&left, c] {
        set_current(c.first);
        c.second(*c.first);
        set_current(nullptr);
        --left;
      });
    }
    fibers_run([&] {
      if (left == 0) return fibers_quit();
      const uint64_t next = kernel_.run_pending();
      if (fibers_pending()) return;
      if (next == UINT64_MAX) {
        ADD_FAILURE() << left << " tasks sleep forever";
        return fibers_quit();
      }
      clock.now = std::max(clock.now, next);
    });
  }
  static void rest(uint64_t ns) {
    const bool never = false;
    EXPECT_EQ(sleep_until(never, Deadline::after(ns)), Wake::timeout);
  }
  FutexRef ref(uint64_t n) { return {key_of(PI_PAGE + 4 * n), PI_PAGE + 4 * n}; }
  FutexKey key_of(uint64_t addr) { return futex_key(*mm, addr, false).value(); }
  uint32_t word(uint64_t n) { return mm->load32(PI_PAGE + 4 * n).value(); }
  int64_t lock(Task& t, uint64_t n, Deadline d = Deadline::never()) {
    return value_of(futex_lock_pi(t, ref(n), d, false));
  }
  int64_t unlock(Task& t, uint64_t n) { return value_of(futex_unlock_pi(t, ref(n))); }
  uint32_t tid(const Task& t) { return static_cast<uint32_t>(t.tid); }

  Kernel kernel_;
  Ref<FakeSpace> space;
  Ref<Mm> mm;
  Ref<ThreadGroup> group;
};

TEST_F(PiFutex, TheOwnerInheritsAndTheHighestWaiterComesNext) {
  Task &low = thread(0), &mid = thread(10), &high = thread(50);
  std::string order;
  run_tasks({{&low,
              [&](Task& t) {
                EXPECT_EQ(lock(t, 0), 0);
                rest(5 * MS);
                EXPECT_EQ(t.se.rt_rank(), 50);
                EXPECT_EQ(unlock(t, 0), 0);
                EXPECT_EQ(t.se.rt_rank(), 0);
                EXPECT_EQ(word(0), tid(high) | FUTEX_WAITERS);
              }},
             {&mid,
              [&](Task& t) {
                rest(MS);
                EXPECT_EQ(lock(t, 0), 0);
                order += "mid ";
                EXPECT_EQ(unlock(t, 0), 0);
              }},
             {&high, [&](Task& t) {
                rest(2 * MS);
                EXPECT_EQ(lock(t, 0), 0);
                order += "high ";
                EXPECT_EQ(unlock(t, 0), 0);
              }}});
  EXPECT_EQ(order, "high mid ");
  EXPECT_EQ(word(0), 0u);
  EXPECT_FALSE(futex_is_pi(ref(0).key));
}

TEST_F(PiFutex, InheritanceThroughAChainAndItsEnd) {
  Task &a = thread(0), &b = thread(3), &c = thread(60);
  run_tasks({{&a,
              [&](Task& t) {
                EXPECT_EQ(lock(t, 0), 0);
                rest(3 * MS);
                EXPECT_EQ(t.se.rt_rank(), 60);  // from c through b
                rest(10 * MS);
                EXPECT_EQ(t.se.rt_rank(), 3);  // c has given up
                EXPECT_EQ(unlock(t, 0), 0);
              }},
             {&b,
              [&](Task& t) {
                EXPECT_EQ(lock(t, 1), 0);
                rest(MS);
                EXPECT_EQ(lock(t, 0), 0);
                EXPECT_EQ(unlock(t, 0), 0);
                EXPECT_EQ(unlock(t, 1), 0);
              }},
             {&c, [&](Task& t) {
                rest(2 * MS);
                EXPECT_EQ(lock(t, 1, Deadline::after(5 * MS)), -ETIMEDOUT);
              }}});
  EXPECT_EQ(a.se.rt_rank(), 0);
  EXPECT_EQ(b.se.rt_rank(), 3);
}

TEST_F(PiFutex, ARaisedWaiterMovesUp) {
  Task &owner = thread(0), &x = thread(20), &y = thread(10), &boss = thread(0);
  std::string order;
  const auto waits = [&](const char* name) {
    return [&, name](Task& t) {
      rest(MS);
      EXPECT_EQ(lock(t, 0), 0);
      order += name;
      EXPECT_EQ(unlock(t, 0), 0);
    };
  };
  run_tasks({{&owner,
              [&](Task& t) {
                EXPECT_EQ(lock(t, 0), 0);
                rest(5 * MS);
                EXPECT_EQ(t.se.rt_rank(), 30);
                EXPECT_EQ(unlock(t, 0), 0);
              }},
             {&x, waits("x")},
             {&y, waits("y")},
             {&boss, [&](Task&) {
                rest(3 * MS);
                scheduler().set_policy(y.se, SCHED_FIFO, 30, 0, clock.now);
                futex_priority_changed(y);
              }}});
  EXPECT_EQ(order, "yx");
}

TEST_F(PiFutex, DeathHandsTheLockOn) {
  Task &dying = thread(0), &heir = thread(0);
  run_tasks({{&dying,
              [&](Task& t) {
                EXPECT_EQ(lock(t, 0), 0);
                rest(2 * MS);
                t.exiting = true;
                futex_exit_task(t);
                EXPECT_EQ(t.se.pi_held, nullptr);
              }},
             {&heir, [&](Task& t) {
                rest(MS);
                EXPECT_EQ(lock(t, 0), 0);
                EXPECT_EQ(word(0), tid(t) | FUTEX_WAITERS | FUTEX_OWNER_DIED);
                EXPECT_EQ(unlock(t, 0), 0);
              }}});
  EXPECT_EQ(word(0), 0u);
}

TEST_F(PiFutex, RequeueHandsOutTheLockByPriority) {
  Task &a = thread(0), &b = thread(40), &c = thread(20), &waker = thread(0);
  std::string order;
  const auto waits = [&](const char* name) {
    return [&, name](Task& t) {
      EXPECT_EQ(value_of(futex_wait_requeue_pi(t, ref(2), 0, FUTEX_ANY, Deadline::never(), ref(0))), 0);
      order += name;
      EXPECT_EQ(word(0) & FUTEX_TID_MASK, tid(t));
      EXPECT_EQ(unlock(t, 0), 0);
    };
  };
  run_tasks({{&a, waits("a")},
             {&b, waits("b")},
             {&c, waits("c")},
             {&waker, [&](Task& t) {
                rest(MS);
                EXPECT_EQ(lock(t, 0), 0);
                EXPECT_EQ(value_of(futex_cmp_requeue_pi(t, ref(2), 0, ref(0), 10)), 3);
                EXPECT_EQ(t.se.rt_rank(), 40);
                EXPECT_EQ(unlock(t, 0), 0);
                EXPECT_EQ(t.se.rt_rank(), 0);
              }}});
  EXPECT_EQ(order, "bca");
  EXPECT_EQ(word(0), 0u);
}

TEST_F(PiFutex, ADeadlockIsSeen) {
  Task &a = thread(0), &b = thread(0), &c = thread(0);
  const auto step = [&](uint64_t own, uint64_t next, int64_t result) {
    return [&, own, next, result](Task& t) {
      EXPECT_EQ(lock(t, own), 0);
      rest((own + 1) * MS);
      EXPECT_EQ(lock(t, next), result);
      EXPECT_EQ(unlock(t, next), result == 0 ? 0 : -EPERM);
      EXPECT_EQ(unlock(t, own), 0);
    };
  };
  run_tasks({{&a, step(0, 1, 0)}, {&b, step(1, 2, 0)}, {&c, step(2, 0, -EDEADLK)}});
}

}  // namespace
}  // namespace starry
