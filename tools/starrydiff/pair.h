// Which task of one log is which of the other: by their place in the tree of creation, by name and by what
// they do; never by number.
#pragma once

#include <vector>

#include "event.h"

namespace starry::diff {

struct TaskPair {
  uint32_t a, b;
  // Where to begin in Task::events: a log may begin before the program, in the shell that starts it.
  uint32_t a_from = 0, b_from = 0;
};

struct Pairing {
  std::vector<TaskPair> pairs;  // parents before their children
  std::vector<uint32_t> only_a, only_b;
  std::vector<uint32_t> outside_a, outside_b;  // tasks outside the program that both logs show
};

Pairing pair_tasks(const Log& a, const Log& b, const Strings& strings);

}  // namespace starry::diff
