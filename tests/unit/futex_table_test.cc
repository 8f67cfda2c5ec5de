// Futex wait queues: their rules one by one, and random schedules against a simple reference model.
#include "emulated_kernel/futex/table.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "fiber_world.h"
#include "unit/times.h"

namespace starry {
namespace {

// Sixteen words of guest memory at address 0x1000.
class Words final : public UserMemory {
 public:
  uint32_t words[16] = {};
  Result<void> read(UserAddr, void*, size_t) override { return Error{EFAULT}; }
  Result<void> write(UserAddr, const void*, size_t) override { return Error{EFAULT}; }
  Result<size_t> read_some(UserAddr, void*, size_t) override { return Error{EFAULT}; }
  Result<size_t> write_some(UserAddr, const void*, size_t) override { return Error{EFAULT}; }
  Result<std::string> read_cstr(UserAddr, size_t, int) override { return Error{EFAULT}; }
  Result<uint32_t> load32(UserAddr a) override {
    if (a < 0x1000 || a >= 0x1000 + sizeof words) return Error{EFAULT};
    return words[(a - 0x1000) / 4];
  }
  Result<uint32_t> cmpxchg32(UserAddr, uint32_t, uint32_t) override { return Error{EFAULT}; }
};

FutexKey key(uint64_t n) { return {.offset = n}; }

class FutexTableTest : public FiberWorld {
 protected:
  int64_t wait(uint64_t n, uint32_t expected = 0, Deadline d = Deadline::never(), uint32_t bits = FUTEX_ANY,
               int rank = 0) {
    return value_of(futex_wait(table, memory, key(n), 0x1000 + 4 * n, expected, bits, d, rank));
  }
  std::function<void()> waiter(std::string name, uint64_t n, uint32_t bits = FUTEX_ANY, int rank = 0) {
    return [=, this] {
      EXPECT_EQ(wait(n, 0, Deadline::never(), bits, rank), 0);
      woken.push_back(name);
    };
  }

  FutexTable table;
  Words memory;
  std::vector<std::string> woken;
  using Names = std::vector<std::string>;
};

TEST_F(FutexTableTest, ValueFaultAndTimeout) {
  run({[&] {
    EXPECT_EQ(wait(0, 1), -EAGAIN);
    EXPECT_EQ(wait(16), -EFAULT);
    const uint64_t before = clock.now;
    EXPECT_EQ(wait(0, 0, Deadline::after(5 * MS)), -ETIMEDOUT);
    EXPECT_EQ(clock.now - before, 5 * MS);
    EXPECT_EQ(table.first(key(0)), nullptr);
  }});
}

TEST_F(FutexTableTest, WakesByPriorityThenInOrder) {
  run({waiter("a", 0), waiter("b", 0), waiter("low rt", 0, FUTEX_ANY, 5), waiter("high rt", 0, FUTEX_ANY, 50),
       waiter("low rt 2", 0, FUTEX_ANY, 5), [&] {
         for (int i = 0; i < 5; i++) {
           EXPECT_EQ(value_of(table.wake(key(0), 1)), 1);
           pause();
         }
         EXPECT_EQ(value_of(table.wake(key(0), 1)), 0);
       }});
  EXPECT_EQ(woken, (Names{"high rt", "low rt", "low rt 2", "a", "b"}));
}

TEST_F(FutexTableTest, BitsetsAndOtherKeys) {
  run({waiter("one", 0, 1), waiter("two", 0, 2), waiter("other", 1), [&] {
         EXPECT_EQ(value_of(table.wake(key(0), 10, 2)), 1);
         EXPECT_EQ(value_of(table.wake(key(0), 10, 4)), 0);
         EXPECT_EQ(value_of(table.wake(key(0), 10, 3)), 1);
         EXPECT_EQ(value_of(table.wake(key(1), 10)), 1);
       }});
}

TEST_F(FutexTableTest, RequeueWakesSomeAndMovesSome) {
  run({waiter("a", 0), waiter("b", 0), waiter("c", 0), waiter("d", 0), [&] {
         EXPECT_EQ(value_of(table.requeue(key(0), key(1), 1, 2)), 3);
         pause();
         EXPECT_EQ(value_of(table.wake(key(1), 10)), 2);
         pause();
         EXPECT_EQ(value_of(table.wake(key(0), 10)), 1);
       }});
  EXPECT_EQ(woken, (Names{"a", "b", "c", "d"}));
}

TEST_F(FutexTableTest, ARequeuedWaiterCanStillTimeOut) {
  run({[&] {
         EXPECT_EQ(wait(0, 0, Deadline::after(10 * MS)), -ETIMEDOUT);
         EXPECT_EQ(table.first(key(1)), nullptr);
       },
       [&] { EXPECT_EQ(value_of(table.requeue(key(0), key(1), 0, 1)), 1); }});
}

TEST_F(FutexTableTest, WaitMultiple) {
  const auto entries = [](uint32_t third) {
    std::vector<FutexWaitvEntry> e(3);
    for (uint64_t i = 0; i < 3; i++) e[i] = {key(i), 0x1000 + 4 * i, 0};
    e[2].expected = third;
    return e;
  };
  run({[&] {
         EXPECT_EQ(value_of(futex_wait_multiple(table, memory, entries(1).data(), 3, Deadline::never(), 0)),
                   -EAGAIN);
         for (uint64_t i = 0; i < 3; i++) EXPECT_EQ(table.first(key(i)), nullptr);
         EXPECT_EQ(value_of(futex_wait_multiple(table, memory, entries(0).data(), 3, Deadline::after(MS), 0)),
                   -ETIMEDOUT);
         EXPECT_EQ(value_of(futex_wait_multiple(table, memory, entries(0).data(), 3, Deadline::never(), 0)),
                   1);
         EXPECT_EQ(table.first(key(0)), nullptr);
       },
       [&] {
         pause(2 * MS);
         EXPECT_EQ(value_of(table.wake(key(1), 1)), 1);
       }});
}

// The reference: a list of (name, futex, bits, rank) in order of arrival; every operation looks through
// all of it.
class FutexModel {
 public:
  struct Waiter {
    int id;
    uint64_t futex;
    uint32_t bits;
    int rank;
    uint64_t since;
  };
  std::vector<Waiter> waiters;
  uint64_t arrivals = 0;

  void add(int id, uint64_t futex, uint32_t bits, int rank) {
    waiters.push_back({id, futex, bits, rank, arrivals++});
  }
  std::vector<Waiter*> queue(uint64_t futex) {
    std::vector<Waiter*> q;
    for (Waiter& w : waiters)
      if (w.futex == futex) q.push_back(&w);
    std::sort(q.begin(), q.end(), [](Waiter* a, Waiter* b) {
      return a->rank != b->rank ? a->rank > b->rank : a->since < b->since;
    });
    return q;
  }
  void remove(int id) {
    std::erase_if(waiters, [&](const Waiter& w) { return w.id == id; });
  }
  std::vector<int> wake(uint64_t futex, int n, uint32_t bits) {
    std::vector<int> ids;
    for (Waiter* w : queue(futex)) {
      if ((w->bits & bits) != 0 && static_cast<int>(ids.size()) < n) ids.push_back(w->id);
    }
    for (int id : ids) remove(id);
    return ids;
  }
  std::vector<int> requeue(uint64_t from, uint64_t to, int nr_wake, int nr_requeue, int* total) {
    std::vector<int> ids;
    *total = 0;
    for (Waiter* w : queue(from)) {
      if (*total == nr_wake + nr_requeue) break;
      if (++*total <= nr_wake)
        ids.push_back(w->id);
      else if (from != to)
        w->futex = to, w->since = arrivals++;
    }
    for (int id : ids) remove(id);
    return ids;
  }
};

TEST_F(FutexTableTest, RandomSchedulesMatchTheModel) {
  for (unsigned seed = 0; seed < 1000; seed++) {
    std::mt19937 rng(seed);
    const auto pick = [&](int n) { return static_cast<int>(rng() % static_cast<unsigned>(n)); };
    constexpr int N = 12;
    FutexTable t;
    FutexModel model;
    std::vector<int> got;
    // Waiters without fibers: who was woken shows in the order of wake_up calls.
    struct Probe final : Sleeper {
      int id = 0;
      std::vector<int>* log = nullptr;
      bool signal_pending(SleepMode) const override { return false; }
      void block() override {}
      void wake_up() override { log->push_back(id); }
    };
    std::vector<Probe> probes(N);
    std::vector<std::unique_ptr<FutexWaiter>> waiters(N);
    for (int step = 0; step < 80; step++) {
      got.clear();
      const int i = pick(N);
      const auto f = static_cast<uint64_t>(pick(3));
      auto& w = waiters[static_cast<size_t>(i)];
      switch (pick(5)) {
        case 0:
        case 1: {
          if (w != nullptr && !w->woken) break;
          Probe& p = probes[static_cast<size_t>(i)];
          p.id = i, p.log = &got;
          w = std::make_unique<FutexWaiter>();
          w->key = key(f);
          w->bitset = static_cast<uint32_t>(1 + pick(7));
          w->rank = pick(3) == 0 ? pick(4) * 10 : 0;
          w->sleeper = &p;
          t.add(*w);
          model.add(i, f, w->bitset, w->rank);
          break;
        }
        case 2: {  // a timeout or a signal
          if (w == nullptr || w->woken) break;
          t.remove(*w);
          w.reset();
          model.remove(i);
          break;
        }
        case 3: {
          const int n = 1 + pick(4);
          const auto bits = static_cast<uint32_t>(1 + pick(7));
          const auto expected = model.wake(f, n, bits);
          ASSERT_EQ(value_of(t.wake(key(f), n, bits)), static_cast<int64_t>(expected.size())) << seed;
          ASSERT_EQ(got, expected) << "seed " << seed << " step " << step;
          break;
        }
        default: {
          const auto to = static_cast<uint64_t>(pick(3));
          const int nr_wake = pick(3), nr_requeue = pick(4);
          int total = 0;
          const auto expected = model.requeue(f, to, nr_wake, nr_requeue, &total);
          ASSERT_EQ(value_of(t.requeue(key(f), key(to), nr_wake, nr_requeue)), total) << seed;
          ASSERT_EQ(got, expected) << "seed " << seed << " step " << step;
        }
      }
    }
    for (auto& w : waiters)
      if (w != nullptr) t.remove(*w);
  }
}

}  // namespace
}  // namespace starry
