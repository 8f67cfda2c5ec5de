#include "pair.h"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>

namespace starry::diff {
namespace {

constexpr uint32_t SAMPLE = 64;      // calls by which behaviour is compared
constexpr size_t MAX_COMPARED = 64;  // children of one group that are compared with each other

class Pairer {
 public:
  Pairer(const Log& a, const Log& b, const Strings& strings) : a_(a), b_(b), strings_(strings) {}

  Pairing run() {
    used_a_.assign(a_.tasks.size(), false);
    used_b_.assign(b_.tasks.size(), false);
    roots();
    for (size_t i = 0; i < out_.pairs.size(); i++) children(out_.pairs[i]);
    rest(a_, used_a_, out_.only_a, out_.outside_a);
    rest(b_, used_b_, out_.only_b, out_.outside_b);
    return std::move(out_);
  }

 private:
  using Bag = std::unordered_map<Id, int>;

  static Bag bag(const Log& log, uint32_t task, uint32_t from) {
    Bag names;
    uint32_t n = 0;
    const auto& events = log.tasks[task].events;
    for (uint32_t i = from; i < events.size() && n < SAMPLE; i++) {
      const Event& e = log.events[events[i]];
      if (e.type != EventType::call || e.has(EV_IDLE)) continue;
      names[e.name]++;
      n++;
    }
    return names;
  }

  // 0 ... 1: how much the first calls of two tasks have in common.
  static double alike(const Bag& x, const Bag& y) {
    int common = 0, all = 0;
    for (const auto& [name, n] : x) {
      const auto it = y.find(name);
      const int m = it == y.end() ? 0 : it->second;
      common += std::min(n, m);
      all += std::max(n, m);
    }
    for (const auto& [name, n] : y)
      if (!x.contains(name)) all += n;
    return all == 0 ? 1 : static_cast<double>(common) / all;
  }

  bool is_exec(const Event& e) const {
    return e.type == EventType::call && !e.has(EV_FAILED) && strings_[e.name] == "execve";
  }

  struct Start {
    uint32_t task, from;
  };
  // The program that an execve at this place starts, without its directory; empty if there is none.
  std::string_view program(const Log& log, const Start& s) const {
    const Event& e = log.events[log.tasks[s.task].events[s.from]];
    if (!is_exec(e)) return {};
    std::string_view path = e.args.substr(std::min(e.args.size(), e.args.find('"') + 1));
    path = path.substr(0, path.find('"'));
    return path.substr(path.rfind('/') + 1);
  }

  // Where the program may begin: at the beginning of the log; if `other` begins with none of the programs
  // that begin there, as when a shell starts it, at any execve too.
  std::vector<Start> starts(const Log& log, const Log& other) const {
    std::vector<Start> out = roots_of(log);
    const std::vector<Start> theirs = roots_of(other);
    for (const Start& s : out)
      for (const Start& t : theirs)
        if (const std::string_view name = program(log, s); !name.empty() && name == program(other, t))
          return out;
    for (uint32_t t = 0; t < log.tasks.size() && out.size() < 1000; t++) {
      const auto& events = log.tasks[t].events;
      for (uint32_t i = 0; i < events.size(); i++)
        if (is_exec(log.events[events[i]])) out.push_back({t, i});
    }
    return out;
  }

  static std::vector<Start> roots_of(const Log& log) {
    std::vector<Start> out;
    for (uint32_t t = 0; t < log.tasks.size(); t++)
      if (log.tasks[t].parent == NO_TASK && !log.tasks[t].events.empty()) out.push_back({t, 0});
    return out;
  }

  void add(uint32_t a, uint32_t b, uint32_t a_from = 0, uint32_t b_from = 0) {
    used_a_[a] = used_b_[b] = true;
    out_.pairs.push_back({a, b, a_from, b_from});
  }

  void roots() {
    const std::vector<Start> as = starts(a_, b_), bs = starts(b_, a_);
    if (as.empty() || bs.empty()) return;
    if (as.size() == 1 && bs.size() == 1) return add(as[0].task, bs[0].task);
    std::vector<Bag> bags;
    for (const Start& s : bs) bags.push_back(bag(b_, s.task, s.from));
    for (const Start& s : as) {
      if (used_a_[s.task]) continue;
      const Bag mine = bag(a_, s.task, s.from);
      double best = -1;
      size_t at = bs.size();
      for (size_t k = 0; k < bs.size(); k++) {
        if (used_b_[bs[k].task]) continue;
        const bool same_name =
            a_.tasks[s.task].name != 0 && a_.tasks[s.task].name == b_.tasks[bs[k].task].name;
        const std::string_view name = program(a_, s);
        const bool same_program = !name.empty() && name == program(b_, bs[k]);
        const double score = alike(mine, bags[k]) + (same_name ? 1 : 0) + (same_program ? 1 : 0);
        if (score > best) {
          best = score;
          at = k;
        }
      }
      if (at < bs.size() && (best >= 0.1 || out_.pairs.empty()))
        add(s.task, bs[at].task, s.from, bs[at].from);
    }
  }

  static uint32_t first_line(const Log& log, uint32_t task, uint32_t from) {
    const auto& events = log.tasks[task].events;
    return from < events.size() ? log.events[events[from]].line : 0;
  }

  // Children that were born since the program began, by kind and name.
  using Group = std::pair<bool, Id>;
  static std::map<Group, std::vector<uint32_t>> groups(const Log& log, uint32_t task, uint32_t from,
                                                       const std::vector<bool>& used) {
    std::map<Group, std::vector<uint32_t>> out;
    const uint32_t since = first_line(log, task, from);
    for (const uint32_t c : log.tasks[task].children) {
      if (used[c] || (from > 0 && first_line(log, c, 0) < since)) continue;
      out[{log.tasks[c].thread, log.tasks[c].name}].push_back(c);
    }
    return out;
  }

  // Threads whose names differ in digits only share work: which of them did what is chance, so they are
  // paired by what they did, and by name where that does not decide.
  using Pools = std::map<std::string, std::vector<uint32_t>>;
  Pools pools_of(const Log& log, const std::map<Group, std::vector<uint32_t>>& children,
                 uint32_t parent) const {
    Pools out;
    for (const auto& [group, list] : children) {
      if (!group.first || group.second == log.tasks[parent].name) continue;
      std::string name;
      for (const char c : strings_[group.second])
        if (c < '0' || c > '9') name += c;
      out[name].insert(out[name].end(), list.begin(), list.end());
    }
    std::erase_if(out, [](const auto& pool) { return pool.second.size() < 2; });
    return out;
  }

  // Names and numbers of all calls.
  Bag whole(const Log& log, uint32_t task) const {
    Bag names;
    for (const uint32_t i : log.tasks[task].events)
      if (const Event& e = log.events[i]; e.type == EventType::call && !e.has(EV_IDLE)) names[e.name]++;
    return names;
  }

  void match_pool(std::vector<uint32_t> as, const std::vector<uint32_t>& bs) {
    if (as.size() > MAX_COMPARED || bs.size() > MAX_COMPARED) return;
    std::stable_sort(as.begin(), as.end(), [&](uint32_t x, uint32_t y) {
      return a_.tasks[x].events.size() > a_.tasks[y].events.size();
    });
    std::vector<Bag> bags;
    for (const uint32_t b : bs) bags.push_back(whole(b_, b));
    for (const uint32_t a : as) {
      const Bag mine = whole(a_, a);
      constexpr double SAME_NAME = 0.2;
      double best = -1;
      size_t at = bs.size();
      for (size_t k = 0; k < bs.size(); k++) {
        if (used_b_[bs[k]]) continue;
        const double score =
            alike(mine, bags[k]) + (a_.tasks[a].name == b_.tasks[bs[k]].name ? SAME_NAME : 0);
        if (score <= best) continue;
        best = score;
        at = k;
      }
      if (at < bs.size()) add(a, bs[at]);
    }
  }

  void children(const TaskPair p) {
    auto mine = groups(a_, p.a, p.a_from, used_a_), theirs = groups(b_, p.b, p.b_from, used_b_);
    const Pools my_pools = pools_of(a_, mine, p.a), their_pools = pools_of(b_, theirs, p.b);
    for (const auto& [name, pool] : my_pools)
      if (const auto it = their_pools.find(name); it != their_pools.end()) match_pool(pool, it->second);
    if (!my_pools.empty()) {
      mine = groups(a_, p.a, p.a_from, used_a_);
      theirs = groups(b_, p.b, p.b_from, used_b_);
    }
    for (auto& [group, list] : mine)
      if (const auto it = theirs.find(group); it != theirs.end()) match(list, it->second);
    // What is left, by behaviour alone: the names may be unknown on one side.
    for (const bool thread : {false, true}) {
      std::vector<uint32_t> left_a, left_b;
      for (const auto& [group, list] : mine)
        for (const uint32_t c : list)
          if (group.first == thread && !used_a_[c]) left_a.push_back(c);
      for (const auto& [group, list] : theirs)
        for (const uint32_t c : list)
          if (group.first == thread && !used_b_[c]) left_b.push_back(c);
      std::sort(left_a.begin(), left_a.end());
      std::sort(left_b.begin(), left_b.end());
      if (left_a.size() == left_b.size() && left_a.size() == 1)
        add(left_a[0], left_b[0]);
      else
        match(left_a, left_b, 0.5);
    }
  }

  void match(const std::vector<uint32_t>& as, const std::vector<uint32_t>& bs, double least = 0) {
    if (as.size() == bs.size() && least == 0) {
      for (size_t i = 0; i < as.size(); i++) add(as[i], bs[i]);
      return;
    }
    std::vector<Bag> bags;
    for (const uint32_t b : bs) bags.push_back(bag(b_, b, 0));
    for (size_t i = 0; i < as.size(); i++) {
      const Bag mine = bag(a_, as[i], 0);
      double best = -1;
      size_t at = bs.size(), seen = 0;
      for (size_t k = 0; k < bs.size() && seen < MAX_COMPARED; k++) {
        if (used_b_[bs[k]]) continue;
        seen++;
        const double distance = static_cast<double>(k > i ? k - i : i - k);
        const double score = alike(mine, bags[k]);
        if (score >= least && score - distance * 1e-3 > best) {
          best = score - distance * 1e-3;
          at = k;
        }
      }
      if (at < bs.size()) add(as[i], bs[at]);
    }
  }

  // A task whose creator is paired is missing on the other side; others are outside what both show.
  static void rest(const Log& log, const std::vector<bool>& used, std::vector<uint32_t>& only,
                   std::vector<uint32_t>& outside) {
    std::vector<bool> inside(used);
    for (uint32_t t = 0; t < log.tasks.size(); t++) {
      if (used[t] || log.tasks[t].events.empty()) continue;
      const uint32_t parent = log.tasks[t].parent;
      if (parent != NO_TASK && parent < inside.size() && inside[parent]) {
        inside[t] = true;
        only.push_back(t);
      } else {
        outside.push_back(t);
      }
    }
  }

  const Log &a_, &b_;
  const Strings& strings_;
  std::vector<bool> used_a_, used_b_;
  Pairing out_;
};

}  // namespace

Pairing pair_tasks(const Log& a, const Log& b, const Strings& strings) { return Pairer(a, b, strings).run(); }

}  // namespace starry::diff
