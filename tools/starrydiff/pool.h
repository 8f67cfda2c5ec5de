// Pools of threads: several threads of a process that do the same work, as event loops do. Which of them
// takes a piece of work is chance.
#pragma once

#include <deque>
#include <vector>

#include "compare_rows.h"

namespace starry::diff {

// For each pair of tasks the number of its pool, from 0, or NO_POOL. Threads are of one pool if the program
// has given them names that differ in digits only.
constexpr uint32_t NO_POOL = UINT32_MAX;
std::vector<uint32_t> pools(const Log& a, const std::vector<TaskPair>& pairs, const Strings& strings);

// Marks calls that one thread of a pool lacks and another one has too many.
void match_pools(std::deque<PairWalk>& walks, const std::vector<uint32_t>& pool_of);

}  // namespace starry::diff
