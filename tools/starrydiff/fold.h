// A task's events as a sequence to align: polling is folded, so that how often a loop turned is no
// difference.
#pragma once

#include <cstdint>
#include <vector>

#include "event.h"
#include "normalise.h"

namespace starry::diff {

struct Item {
  uint64_t key;
  uint32_t event;      // the first one
  uint32_t count = 1;  // turns of the loop
};

// Calls that only wait or ask, between two items; where tasks run in parallel their number is chance.
struct Idle {
  uint32_t before;  // index of the item that follows
  uint32_t event;   // the first one
  uint32_t count;
};

struct Sequence {
  std::vector<Item> items;
  std::vector<Idle> idle;
  // Signals and what their handlers do, where tasks run in parallel: they come when they come, so they are
  // aligned on their own. They are part of the idle runs too.
  std::vector<Item> asynchronous;
};

struct Surroundings {
  bool parallel = false;  // the task's process has other threads, or there are other processes
  bool alone = true;      // the process has one thread
  Id rt_sigreturn = 0;    // the number of that name
};
Sequence fold(const Log& log, const std::vector<uint32_t>& events, uint32_t from, const Surroundings& around,
              const Normal& normal);

}  // namespace starry::diff
