// What the threads of a run did when: running, in a call, blocked, pre-empted; and on which CPU.
#pragma once

#include <vector>

#include "event.h"

namespace starry::diff {

enum class Activity : uint8_t { run, call, blocked, preempted };

struct Stretch {
  int64_t from, to;  // ns since the beginning of the log
  Activity activity;
  Id what;      // the call, or what it is blocked on
  int16_t cpu;  // -1: none or not known
  uint32_t event;
};

// By task, each in order of time. Empty if the log has no times.
std::vector<std::vector<Stretch>> timeline(const Log& log);

}  // namespace starry::diff
