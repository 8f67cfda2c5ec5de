#include "pool.h"

#include <map>
#include <string>

namespace starry::diff {

std::vector<uint32_t> pools(const Log& a, const std::vector<TaskPair>& pairs, const Strings& strings) {
  std::map<std::pair<uint32_t, std::string>, std::vector<uint32_t>> alike;
  for (uint32_t p = 0; p < pairs.size(); p++) {
    const Task& t = a.tasks[pairs[p].a];
    if (!t.thread || t.name == a.tasks[t.leader].name) continue;
    std::string name;
    for (const char c : strings[t.name])
      if (c < '0' || c > '9') name += c;
    alike[{t.leader, name}].push_back(p);
  }
  std::vector<uint32_t> pool_of(pairs.size(), NO_POOL);
  uint32_t next = 0;
  for (const auto& [name, members] : alike) {
    if (members.size() < 2) continue;
    for (const uint32_t p : members) pool_of[p] = next;
    next++;
  }
  return pool_of;
}

void match_pools(std::deque<PairWalk>& walks, const std::vector<uint32_t>& pool_of) {
  struct Place {
    uint32_t walk;
    PairWalk::Single* single;
  };
  std::map<std::pair<uint32_t, uint64_t>, std::vector<Place>> extra;  // pool and key
  for (uint32_t w = 0; w < walks.size(); w++) {
    if (pool_of[w] == NO_POOL) continue;
    for (PairWalk::Single& s : walks[w].singles())
      if (!s.first && !s.done) extra[{pool_of[w], s.key}].push_back({w, &s});
  }
  for (uint32_t w = 0; w < walks.size(); w++) {
    if (pool_of[w] == NO_POOL) continue;
    for (PairWalk::Single& s : walks[w].singles()) {
      if (!s.first || s.done) continue;
      const auto it = extra.find({pool_of[w], s.key});
      if (it == extra.end()) continue;
      for (Place& other : it->second) {
        if (other.walk == w || other.single->pooled) continue;
        s.pooled = other.single->pooled = true;
        break;
      }
    }
  }
}

}  // namespace starry::diff
