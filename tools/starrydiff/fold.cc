#include "fold.h"

#include <algorithm>

namespace starry::diff {
namespace {

constexpr size_t MAX_PERIOD = 8;
constexpr size_t MIN_TURNS = 3;

bool may_poll(const Event& e) {
  return e.type == EventType::call && (e.flags & (EV_IDLE | EV_WAIT)) && !e.has(EV_UNFINISHED);
}

bool same_turn(const Log& log, const std::vector<uint32_t>& events, size_t x, size_t y, size_t period) {
  for (size_t k = 0; k < period; k++) {
    const Event &a = log.events[events[x + k]], &b = log.events[events[y + k]];
    if (a.key != b.key || a.error != b.error || a.has(EV_IDLE) != b.has(EV_IDLE)) return false;
  }
  return true;
}

// Signals, and what is done between a signal and its rt_sigreturn.
std::vector<bool> asynchronous(const Log& log, const std::vector<uint32_t>& events, Id rt_sigreturn) {
  std::vector<bool> in(events.size(), false);
  int depth = 0;
  for (size_t k = events.size(); k-- > 0;) {
    const Event& e = log.events[events[k]];
    if (e.type == EventType::call && e.name == rt_sigreturn) depth++;
    in[k] = depth > 0 || e.type == EventType::signal || e.type == EventType::stop;
    if (e.type == EventType::signal && depth > 0) depth--;
  }
  return in;
}

}  // namespace

Sequence fold(const Log& log, const std::vector<uint32_t>& events, uint32_t from, const Surroundings& around,
              const Normal& normal) {
  Sequence s;
  const bool chance = around.parallel && normal.timing;
  const std::vector<bool> async =
      chance ? asynchronous(log, events, around.rt_sigreturn) : std::vector<bool>();
  const uint16_t idle = around.alone ? EV_IDLE : EV_IDLE | EV_HEAP;
  const auto aside = [&](size_t k) { return (log.events[events[k]].flags & idle) != 0 || async[k]; };
  s.items.reserve(events.size() - std::min<size_t>(from, events.size()));
  for (size_t i = from; i < events.size();) {
    if (chance && aside(i)) {
      const size_t begin = i;
      for (; i < events.size() && aside(i); i++)
        if (async[i] && (log.events[events[i]].flags & idle) == 0)
          s.asynchronous.push_back({log.events[events[i]].key, events[i]});
      s.idle.push_back(
          {static_cast<uint32_t>(s.items.size()), events[begin], static_cast<uint32_t>(i - begin)});
      continue;
    }
    size_t turns = 0, period = 0;
    // A turn of a polling loop: calls that wait or ask, at least one of them waits.
    bool wait = false;
    if (normal.folding)
      for (period = 1; period <= MAX_PERIOD && i + period * MIN_TURNS <= events.size(); period++) {
        const Event& last = log.events[events[i + period - 1]];
        if (!may_poll(last)) break;
        wait = wait || last.has(EV_WAIT);
        if (!wait) continue;
        turns = 1;
        while (i + (turns + 1) * period <= events.size() &&
               same_turn(log, events, i, i + turns * period, period))
          turns++;
        if (turns >= MIN_TURNS) break;
        turns = 0;
      }
    if (turns < MIN_TURNS) turns = period = 1;
    for (size_t k = 0; k < period; k++)
      s.items.push_back({log.events[events[i + k]].key, events[i + k], static_cast<uint32_t>(turns)});
    i += turns * period;
  }
  return s;
}

}  // namespace starry::diff
