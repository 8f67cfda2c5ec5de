#include "causal.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace starry::diff {
namespace {

struct Wake {
  uint32_t begin, end;  // lines
};

// The address as the log has it: "0x7f..." at the beginning of the arguments.
std::string_view address(const Event& e) { return e.args.substr(0, e.args.find(',')); }

// Waits that returned 0 although nobody woke anybody at that address meanwhile.
std::vector<uint32_t> unwoken(const Log& log, const Strings& strings) {
  std::vector<uint32_t> out;
  std::map<std::pair<uint32_t, std::string_view>, std::vector<Wake>> wakes;  // process and address
  std::unordered_map<uint32_t, bool> requeues;  // a waiter may have been moved to another address
  const auto process = [&](const Event& e) { return log.tasks[e.task].leader; };
  std::vector<std::pair<uint32_t, uint32_t>> waits;
  for (uint32_t i = 0; i < log.events.size(); i++) {
    const Event& e = log.events[i];
    if (e.type != EventType::call || strings[e.name] != "futex") continue;
    const auto has = [&](std::string_view s) { return e.args.find(s) != std::string_view::npos; };
    if (has("REQUEUE") || has("WAKE_OP") || has("_PI")) requeues[process(e)] = true;
    if (has("FUTEX_WAKE") || has("REQUEUE")) {
      const uint32_t end = e.has(EV_UNFINISHED) ? UINT32_MAX : e.end_line;
      wakes[{process(e), address(e)}].push_back({e.line, end});
    } else if (has("FUTEX_WAIT") && has("_PRIVATE") && !e.has(EV_FAILED) && !e.has(EV_UNFINISHED) &&
               !e.has(EV_NO_ENTRY) && e.ret == "0") {
      waits.emplace_back(i, 0);
    }
  }
  for (const auto& [i, unused] : waits) {
    const Event& e = log.events[i];
    if (requeues.contains(process(e))) continue;
    const auto it = wakes.find({process(e), address(e)});
    const bool woken = it != wakes.end() &&
                       std::any_of(it->second.begin(), it->second.end(),
                                   [&](const Wake& w) { return w.begin <= e.end_line && w.end >= e.line; });
    if (!woken) out.push_back(i);
  }
  return out;
}

}  // namespace

void causes(Comparison& c, const Strings& strings) {
  const std::vector<uint32_t> theirs = unwoken(*c.b, strings);
  if (theirs.empty() || !unwoken(*c.a, strings).empty()) return;
  for (const uint32_t i : theirs) {
    const Event& e = c.b->events[i];
    Divergence d;
    d.kind = Kind::order;
    d.b = i;
    d.note = "the wait returned before any wake";
    // Its place in the first log is not known; its place in the second is as good.
    d.line = e.line;
    for (uint32_t p = 0; p < c.pairs.size(); p++)
      if (c.pairs[p].tasks.b == e.task) d.pair = p;
    d.row = NONE;
    if (d.pair == NONE) continue;
    const auto& rows = c.pairs[d.pair].rows;
    for (uint32_t r = 0; r < rows.size(); r++) {
      if (rows[r].b == i || (rows[r].b != NONE && rows[r].b < i)) d.row = r;
      if (rows[r].a != NONE && rows[r].b != NONE && rows[r].b <= i) d.line = c.a->events[rows[r].a].line;
    }
    c.divergences.push_back(d);
  }
}

}  // namespace starry::diff
