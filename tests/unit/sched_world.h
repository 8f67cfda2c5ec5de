// A scheduler with a virtual clock and a kernel loop that carries out its wishes at once.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "emulated_kernel/sched/scheduler.h"

namespace starry {

class SchedWorld final : public SchedHooks {
 public:
  explicit SchedWorld(int cpus) : sched(cpus, *this, now) {}
  ~SchedWorld() override {
    for (SchedEntity& se : tasks) sched.remove(se, now);
  }

  SchedEntity& add(const std::string& name, int policy, int rt_priority) {
    SchedEntity& se = tasks.emplace_back();
    sched.init_task(se);
    sched.set_policy(se, policy, rt_priority, 0, now);
    names[&se] = name;
    return se;
  }

  void wake(SchedEntity& se) { sched.wake(se, now), settle(); }
  void block(SchedEntity& se) { sched.block(se, now), settle(); }
  void yield(SchedEntity& se) { sched.yield(se, now), settle(); }
  void set_policy(SchedEntity& se, int policy, int prio) {
    sched.set_policy(se, policy, prio, se.nice, now), settle();
  }
  void pass(uint64_t ns) {
    const uint64_t end = now + ns;
    while (sched.next_tick() <= end) {
      now = std::max(now, sched.next_tick());
      sched.tick(now);
      settle();
    }
    now = end;
  }
  void settle() {
    while (!asked.empty()) {
      SchedEntity* se = asked.front();
      asked.pop_front();
      if (se->need_resched) sched.preempt(*se, now);
    }
    sched.pick(now);
    if (!asked.empty()) settle();
  }
  std::string running(int cpu) const {
    const SchedEntity* se = sched.current_on(cpu);
    return se == nullptr ? "" : names.at(se);
  }
  // Names in the order in which they got a CPU, without repetitions.
  std::string order() const {
    std::string s;
    for (const SchedEntity* se : picked) s += (s.empty() ? "" : " ") + names.at(se);
    return s;
  }

  void request_resched(SchedEntity& se) override { asked.push_back(&se); }
  void switch_to(SchedEntity& se) override {
    if (picked.empty() || picked.back() != &se) picked.push_back(&se);
  }

  uint64_t now = 1'000'000'000;
  Scheduler sched;
  std::deque<SchedEntity> tasks;
  std::map<const SchedEntity*, std::string> names;
  std::deque<SchedEntity*> asked;
  std::vector<const SchedEntity*> picked;
};

}  // namespace starry
