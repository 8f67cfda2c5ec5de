// Thousands of random task sets: on one CPU against a brute-force model of sched(7), on several CPUs
// against the scheduler's invariants.
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <list>
#include <random>

#include "sched_world.h"
#include "unit/times.h"

namespace starry {
namespace {

constexpr uint64_t RR_SLICE = 100 * MS;

// sched(7) word by word: a list per priority; the running task is at the head of its list. The fair
// class is one list whose order is not predicted.
class SchedModel {
 public:
  struct T {
    int policy = SCHED_OTHER, prio = 0;
    bool runnable = false;
    uint64_t slice = RR_SLICE;
  };
  std::vector<T> tasks;
  std::list<int> lists[100];
  int current = -1;

  int best_rank() const {
    for (int r = 99; r > 0; r--) {
      if (!lists[r].empty()) return r;
    }
    return 0;
  }
  bool rt(int t) const { return tasks[static_cast<size_t>(t)].prio > 0; }
  T& at(int t) { return tasks[static_cast<size_t>(t)]; }
  // What runs now: the head of the highest list; -1: something of the fair class, or nothing.
  void choose() {
    const int r = best_rank();
    const int before = current;
    if (before >= 0 && rt(before) && at(before).runnable && at(before).prio == r) return;
    current = r > 0 ? lists[r].front() : -1;
    if (current >= 0 && at(current).slice == 0) at(current).slice = RR_SLICE;
  }
  void wake(int t) {
    if (at(t).runnable) return;
    at(t).runnable = true;
    if (rt(t)) lists[at(t).prio].push_back(t);
    choose();
  }
  void block(int t) {
    at(t).runnable = false;
    if (rt(t)) lists[at(t).prio].remove(t);
    if (current == t) current = -1;
    choose();
  }
  void yield() {
    auto& l = lists[at(current).prio];
    l.splice(l.end(), l, l.begin());
    current = -1;
    choose();
  }
  void set(int t, int policy, int prio) {
    const int old = at(t).prio;
    if (at(t).runnable && prio != old) {
      if (old > 0) lists[old].remove(t);
      if (prio > old)
        lists[prio].push_back(t);
      else if (prio > 0)
        lists[prio].push_front(t);
    }
    at(t).policy = policy;
    at(t).prio = prio;
    if (current == t && prio == 0) current = -1;
    if (prio != old && (prio == 0 || old == 0)) at(t).slice = std::max<uint64_t>(at(t).slice, 1);
    choose();
  }
};

// One CPU, FIFO tasks and fair ones.
TEST(SchedProperty, FifoOnOneCpuMatchesTheModel) {
  for (unsigned seed = 0; seed < 2000; seed++) {
    std::mt19937 rng(seed);
    const auto pick = [&](int n) { return static_cast<int>(rng() % static_cast<unsigned>(n)); };
    SchedWorld w(1);
    SchedModel m;
    const int n = 2 + pick(8);
    const int prios = 1 + pick(4);  // few distinct ones: many equals
    std::vector<SchedEntity*> se;
    for (int i = 0; i < n; i++) {
      const bool fair = pick(4) == 0;
      const int prio = fair ? 0 : 1 + pick(prios) * 30;
      se.push_back(&w.add(std::to_string(i), fair ? SCHED_OTHER : SCHED_FIFO, prio));
      m.tasks.push_back({fair ? SCHED_OTHER : SCHED_FIFO, prio});
    }
    for (int step = 0; step < 60; step++) {
      const int t = pick(n);
      w.now += static_cast<uint64_t>(pick(20)) * MS;
      switch (pick(6)) {
        case 0:
        case 1:
          w.wake(*se[static_cast<size_t>(t)]);
          m.wake(t);
          break;
        case 2:
          if (m.current >= 0) {
            w.block(*se[static_cast<size_t>(m.current)]);
            m.block(m.current);
          }
          break;
        case 3:
          if (m.current >= 0) {
            w.yield(*se[static_cast<size_t>(m.current)]);
            m.yield();
          }
          break;
        case 4: {
          const bool fair = pick(4) == 0;
          const int prio = fair ? 0 : 1 + pick(prios) * 30;
          w.set_policy(*se[static_cast<size_t>(t)], fair ? SCHED_OTHER : SCHED_FIFO, prio);
          m.set(t, fair ? SCHED_OTHER : SCHED_FIFO, prio);
          break;
        }
        default:
          if (SchedEntity* cur = w.sched.current_on(0); cur != nullptr && m.current < 0) {
            const auto i = std::find(se.begin(), se.end(), cur) - se.begin();
            w.block(*cur);
            m.block(static_cast<int>(i));
          }
      }
      if (m.current >= 0) {
        ASSERT_EQ(w.running(0), std::to_string(m.current)) << "seed " << seed << " step " << step;
      } else {
        const SchedEntity* cur = w.sched.current_on(0);
        const bool any = std::any_of(m.tasks.begin(), m.tasks.end(), [](auto& x) { return x.runnable; });
        ASSERT_EQ(cur != nullptr, any) << "seed " << seed << " step " << step;
        if (cur != nullptr) {
          ASSERT_EQ(cur->rt_rank(), 0);
        }
      }
    }
  }
}

// One CPU, RR tasks of one priority: each event against a queue simulated millisecond by millisecond.
TEST(SchedProperty, RoundRobinMatchesTheModel) {
  for (unsigned seed = 0; seed < 1000; seed++) {
    std::mt19937 rng(seed);
    const auto pick = [&](int n) { return static_cast<int>(rng() % static_cast<unsigned>(n)); };
    SchedWorld w(1);
    const int n = 2 + pick(4);
    std::vector<SchedEntity*> se;
    std::vector<uint64_t> left(static_cast<size_t>(n), RR_SLICE);
    std::list<int> queue;  // front runs
    for (int i = 0; i < n; i++) se.push_back(&w.add(std::to_string(i), SCHED_RR, 40));
    const auto pass_one_ms = [&] {
      if (queue.empty()) return;
      auto& l = left[static_cast<size_t>(queue.front())];
      l -= MS;
      if (l != 0) return;
      l = RR_SLICE;
      if (queue.size() > 1) queue.splice(queue.end(), queue, queue.begin());
    };
    for (int step = 0; step < 40; step++) {
      const int t = pick(n);
      const bool queued = std::find(queue.begin(), queue.end(), t) != queue.end();
      if (!queued) {
        w.wake(*se[static_cast<size_t>(t)]);
        queue.push_back(t);
      } else if (pick(3) == 0) {
        w.block(*se[static_cast<size_t>(t)]);
        queue.remove(t);
      }
      const int ms = pick(150);
      w.pass(static_cast<uint64_t>(ms) * MS);
      for (int i = 0; i < ms; i++) pass_one_ms();
      ASSERT_EQ(w.running(0), queue.empty() ? "" : std::to_string(queue.front()))
          << "seed " << seed << " step " << step;
    }
  }
}

void check_invariants(SchedWorld& w, int cpus) {
  std::vector<int> runs(static_cast<size_t>(cpus), 0);
  for (SchedEntity& t : w.tasks) {
    if (t.state == SchedEntity::State::running) {
      ASSERT_EQ(w.sched.current_on(t.cpu), &t);
      ASSERT_TRUE(t.affinity.test(static_cast<size_t>(t.cpu)));
    }
    if (t.state != SchedEntity::State::queued) continue;
    ASSERT_TRUE(t.affinity.test(static_cast<size_t>(t.cpu)));
    for (int cpu = 0; cpu < cpus; cpu++) {
      if (!t.affinity.test(static_cast<size_t>(cpu))) continue;
      const SchedEntity* cur = w.sched.current_on(cpu);
      ASSERT_NE(cur, nullptr) << "waits although CPU " << cpu << " is idle";
      ASSERT_GE(cur->rt_rank(), t.rt_rank()) << w.names[&t] << " waits behind " << w.names[cur];
    }
  }
}

TEST(SchedProperty, ManyCpusKeepTheInvariants) {
  for (unsigned seed = 0; seed < 3000; seed++) {
    std::mt19937 rng(seed);
    const auto pick = [&](int n) { return static_cast<int>(rng() % static_cast<unsigned>(n)); };
    const int cpus = 1 + pick(5);
    SchedWorld w(cpus);
    const int n = 2 + pick(12);
    const auto random_policy = [&](SchedEntity& se) {
      static constexpr int POLICIES[] = {SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE};
      const int p = POLICIES[pick(5)];
      const bool rt = p == SCHED_FIFO || p == SCHED_RR;
      w.sched.set_policy(se, p, rt ? 1 + pick(5) * 20 : 0, pick(40) - 20, w.now);
    };
    std::vector<SchedEntity*> se;
    for (int i = 0; i < n; i++) {
      se.push_back(&w.add(std::to_string(i), SCHED_OTHER, 0));
      random_policy(*se.back());
    }
    for (int step = 0; step < 80; step++) {
      SchedEntity& t = *se[static_cast<size_t>(pick(n))];
      switch (pick(8)) {
        case 0:
        case 1:
          w.sched.wake(t, w.now);
          break;
        case 2:
          w.sched.block(t, w.now);
          break;
        case 3:
          w.sched.yield(t, w.now);
          break;
        case 4: {
          CpuMask mask;
          for (int cpu = 0; cpu < cpus; cpu++) mask.set(static_cast<size_t>(cpu), pick(2) == 0);
          EXPECT_EQ(w.sched.set_affinity(t, mask, w.now).ok(), mask.any());
          break;
        }
        case 5:
          random_policy(t);
          break;
        case 6:
          w.sched.set_pi_priority(t, pick(2) * pick(100), w.now);
          break;
        default:
          w.pass(static_cast<uint64_t>(pick(120)) * MS);
      }
      if (pick(3) == 0) continue;  // several changes before the kernel loop gets to it
      w.settle();
      check_invariants(w, cpus);
      if (HasFatalFailure()) {
        ADD_FAILURE() << "seed " << seed << " step " << step;
        return;
      }
    }
  }
}

// A clock that only moves with work: all runnable fair tasks of one CPU get their shares by weight.
TEST(SchedProperty, FairSharesFollowTheWeights) {
  for (unsigned seed = 0; seed < 200; seed++) {
    std::mt19937 rng(seed);
    SchedWorld w(1);
    const int n = 2 + static_cast<int>(rng() % 5);
    std::vector<SchedEntity*> se;
    double sum = 0;
    for (int i = 0; i < n; i++) {
      se.push_back(&w.add(std::to_string(i), SCHED_OTHER, 0));
      w.sched.set_policy(*se.back(), SCHED_OTHER, 0, static_cast<int>(rng() % 11) - 5, w.now);
      w.wake(*se.back());
      sum += std::pow(1.25, -se.back()->nice);
    }
    w.pass(20'000 * MS);
    for (auto* t : se) w.block(*t);
    for (auto* t : se) {
      const double share = std::pow(1.25, -t->nice) / sum;
      EXPECT_NEAR(static_cast<double>(t->sum_exec_ns) / 20e9, share, 0.02 + share * 0.05) << seed;
    }
  }
}

}  // namespace
}  // namespace starry
