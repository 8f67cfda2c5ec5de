#include "timeline.h"

#include <algorithm>

namespace starry::diff {

std::vector<std::vector<Stretch>> timeline(const Log& log) {
  std::vector<std::vector<Stretch>> out(log.tasks.size());
  int64_t begin = INT64_MAX;
  for (const Event& e : log.events)
    if (e.start >= 0) begin = std::min(begin, e.start);
  if (begin == INT64_MAX) return {};
  for (size_t t = 0; t < log.tasks.size(); t++) {
    int64_t last = -1;  // the end of the call before: since then the thread has run its own code
    for (const uint32_t i : log.tasks[t].events) {
      const Event& e = log.events[i];
      if (e.type != EventType::call || e.start < 0) continue;
      const int64_t from = e.start - begin, to = from + std::max<int64_t>(e.duration, 0);
      static const Extra NOTHING;
      const Extra& x = e.extra == UINT32_MAX ? NOTHING : log.extras[e.extra];
      // Cuts pieces out of [at, end): first what is in between, then the piece.
      const auto cut = [&](int64_t at, int64_t end, Activity between, Id what, const std::vector<Span>& spans,
                           Activity piece) {
        for (const Span& s : spans) {
          const int64_t a = std::clamp(s.from - begin, at, end), b = std::clamp(s.to - begin, at, end);
          if (b <= a) continue;
          if (a > at) out[t].push_back({at, a, between, what, e.cpu, i});
          out[t].push_back({a, b, piece, s.on, -1, i});
          at = b;
        }
        if (end > at) out[t].push_back({at, end, between, what, e.cpu, i});
      };
      if (last >= 0 && from > last) cut(last, from, Activity::run, 0, x.preempted, Activity::preempted);
      cut(from, to, Activity::call, e.name, x.blocked, Activity::blocked);
      last = std::max(last, to);
    }
  }
  return out;
}

}  // namespace starry::diff
