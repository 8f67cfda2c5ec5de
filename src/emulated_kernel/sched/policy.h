// The table of scheduling policies (sched/policies.def) for the system calls and the scheduler.
#pragma once

#include <sched.h>

#include <cstdint>

namespace starry {

enum class SchedClassId : uint8_t { RT, FAIR, NONE };

struct PolicyInfo {
  int number;
  const char* name;  // without SCHED_
  SchedClassId class_id;
  int min_priority, max_priority;
};

inline constexpr PolicyInfo POLICIES[] = {
#define POLICY(nr, name, cls, lo, hi) {nr, #name, SchedClassId::cls, lo, hi},
#include "emulated_kernel/sched/policies.def"
#undef POLICY
};

// nullptr: no such policy.
constexpr const PolicyInfo* find_policy(int number) {
  for (const PolicyInfo& p : POLICIES) {
    if (p.number == number) return &p;
  }
  return nullptr;
}

constexpr bool is_rt_policy(int policy) { return policy == SCHED_FIFO || policy == SCHED_RR; }
constexpr bool is_fair_policy(int policy) {
  return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

}  // namespace starry
