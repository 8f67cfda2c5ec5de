#include "tracer/host_cpus.h"

#include <vector>

namespace starry {

static const std::vector<int>& allowed() {
  static const std::vector<int> cpus = [] {
    std::vector<int> v;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
      for (int i = 0; i < CPU_SETSIZE; ++i)
        if (CPU_ISSET(i, &set)) v.push_back(i);
    if (v.empty()) v.push_back(0);
    return v;
  }();
  return cpus;
}

int host_cpu_count() { return static_cast<int>(allowed().size()); }

int host_cpu_number(int emulated_cpu) {
  return allowed()[static_cast<size_t>(emulated_cpu) % allowed().size()];
}

cpu_set_t host_cpu_for(int emulated_cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(host_cpu_number(emulated_cpu), &set);
  return set;
}

static bool left_some = false, stays = false;

static cpu_set_t all_but(const cpu_set_t* used) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu : allowed())
    if (used == nullptr || !CPU_ISSET(cpu, used)) CPU_SET(cpu, &set);
  return set;
}

void leave_cpus(const cpu_set_t& used) {
  const int here = sched_getcpu();
  if (here < 0 || !CPU_ISSET(here, &used)) return;
  const cpu_set_t others = all_but(&used);
  if (CPU_COUNT(&others) == 0) return;
  left_some = sched_setaffinity(0, sizeof others, &others) == 0;
  stays = false;
}

void stay_on_cpus(const cpu_set_t& cpus) {
  static cpu_set_t kept;
  if (stays && CPU_EQUAL(&kept, &cpus)) return;
  kept = cpus;
  stays = left_some = sched_setaffinity(0, sizeof cpus, &cpus) == 0;
}

void was_bound() {
  left_some = true;
  stays = false;
}

void use_all_cpus() {
  if (!left_some) return;
  const cpu_set_t all = all_but(nullptr);
  left_some = sched_setaffinity(0, sizeof all, &all) != 0;
  stays = false;
}

}  // namespace starry
