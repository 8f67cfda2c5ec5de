#include "causal.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace starry::diff {
namespace {

// When a call began and when it had returned. In a log of text that is where its line begins and where it is
// complete; starryrun's JSON has one line per call, in the order of their ends, and times.
struct Interval {
  int64_t begin, end;
};
Interval span(const Log& log, const Event& e) {
  if (log.format == "starryrun JSON" && e.start >= 0)
    return {e.start, e.start + std::max<int64_t>(e.duration, 0)};
  return {e.line, e.end_line};
}

// The address as the log has it: "0x7f..." at the beginning of the arguments.
std::string_view address(const Event& e) { return e.args.substr(0, e.args.find(',')); }

// Waits that returned 0 although nobody woke anybody at that address meanwhile.
std::vector<uint32_t> unwoken(const Log& log, const Strings& strings) {
  std::vector<uint32_t> out;
  std::map<std::pair<uint32_t, std::string_view>, std::vector<Interval>> wakes;  // process and address
  std::unordered_map<uint32_t, bool> requeues;  // a waiter may have been moved to another address
  const auto process = [&](const Event& e) { return log.tasks[e.task].leader; };
  std::vector<std::pair<uint32_t, uint32_t>> waits;
  for (uint32_t i = 0; i < log.events.size(); i++) {
    const Event& e = log.events[i];
    if (e.type != EventType::call || strings[e.name] != "futex") continue;
    const auto has = [&](std::string_view s) { return e.args.find(s) != std::string_view::npos; };
    if (has("REQUEUE") || has("WAKE_OP") || has("_PI")) requeues[process(e)] = true;
    if (has("FUTEX_WAKE") || has("REQUEUE")) {
      const Interval s = span(log, e);
      wakes[{process(e), address(e)}].push_back({s.begin, e.has(EV_UNFINISHED) ? INT64_MAX : s.end});
    } else if (has("FUTEX_WAIT") && has("_PRIVATE") && !e.has(EV_FAILED) && !e.has(EV_UNFINISHED) &&
               !e.has(EV_NO_ENTRY) && e.ret == "0") {
      waits.emplace_back(i, 0);
    }
  }
  for (const auto& [i, unused] : waits) {
    const Event& e = log.events[i];
    if (requeues.contains(process(e))) continue;
    const auto it = wakes.find({process(e), address(e)});
    const Interval s = span(log, e);
    const bool woken = it != wakes.end() &&
                       std::any_of(it->second.begin(), it->second.end(),
                                   [&](const Interval& w) { return w.begin <= s.end && w.end >= s.begin; });
    if (!woken) out.push_back(i);
  }
  return out;
}

// Reads from pipes that returned more bytes than had been written when they returned.
std::vector<uint32_t> unwritten(const Log& log, const Strings& strings) {
  const auto object = [&](const Ref& r) {
    const uint32_t origin = log.objects[r.object].origin;
    return origin != 0 ? origin : r.object;
  };
  std::unordered_map<uint32_t, uint32_t> pipes;  // reading end: writing end
  std::unordered_map<uint32_t, bool> ends;       // writing end: only write and writev put bytes into it
  for (const Event& e : log.events) {
    const std::string_view name = strings[e.name];
    if (e.type != EventType::call || e.has(EV_FAILED) || e.ref_count < 2 || !name.starts_with("pipe"))
      continue;
    const uint32_t r = object(log.refs[e.first_ref]), w = object(log.refs[e.first_ref + 1]);
    pipes[r] = w;
    ends[w] = true;
  }
  if (pipes.empty()) return {};
  // What may put bytes into a pipe without naming it first, or in another amount than the result.
  static constexpr std::string_view OTHER_WRITERS[] = {"splice", "tee", "vmsplice", "sendfile",
                                                       "copy_file_range"};
  struct Change {
    int64_t when;
    int64_t bytes;  // of a write when it begins, of a read when it ends
    uint32_t event;
  };
  std::unordered_map<uint32_t, std::vector<Change>> changes;  // by writing end
  for (uint32_t i = 0; i < log.events.size(); i++) {
    const Event& e = log.events[i];
    if (e.type != EventType::call || e.ref_count == 0 || log.refs[e.first_ref].kind != RefKind::fd) continue;
    const std::string_view name = strings[e.name];
    const uint32_t o = object(log.refs[e.first_ref]);
    if (std::find(std::begin(OTHER_WRITERS), std::end(OTHER_WRITERS), name) != std::end(OTHER_WRITERS)) {
      for (uint32_t r = e.first_ref; r < e.first_ref + e.ref_count; r++)
        if (log.refs[r].kind == RefKind::fd) {
          ends[object(log.refs[r])] = false;
          if (const auto it = pipes.find(object(log.refs[r])); it != pipes.end()) ends[it->second] = false;
        }
    } else if ((name == "write" || name == "writev") && ends.contains(o)) {
      // A writer that is never seen to return may have written anything.
      if (e.has(EV_UNFINISHED) || e.has(EV_NO_ENTRY)) ends[o] = false;
      if (!e.has(EV_FAILED)) changes[o].push_back({span(log, e).begin, e.number, i});
    } else if ((name == "read" || name == "readv") && pipes.contains(o) && !e.has(EV_FAILED) &&
               !e.has(EV_UNFINISHED)) {
      changes[pipes[o]].push_back({span(log, e).end, -e.number, i});
    }
  }
  std::vector<uint32_t> out;
  for (auto& [end, list] : changes) {
    if (!ends[end]) continue;
    std::stable_sort(list.begin(), list.end(),
                     [](const Change& x, const Change& y) { return x.when < y.when; });
    int64_t inside = 0;
    for (const Change& c : list) {
      inside += c.bytes;
      if (inside >= 0) continue;
      out.push_back(c.event);
      break;
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

void report(Comparison& c, const std::vector<uint32_t>& events, const char* note) {
  for (const uint32_t i : events) {
    const Event& e = c.b->events[i];
    Divergence d;
    d.kind = Kind::order;
    d.b = i;
    d.note = note;
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

}  // namespace

void causes(Comparison& c, const Strings& strings) {
  // Lines of a set of files have no order between files.
  if (!c.a->parts.empty() || !c.b->parts.empty()) return;
  // Where the native log seems to break the rule too, something is not in the logs.
  if (const auto theirs = unwoken(*c.b, strings); !theirs.empty() && unwoken(*c.a, strings).empty())
    report(c, theirs, "the wait returned before any wake");
  if (const auto theirs = unwritten(*c.b, strings); !theirs.empty() && unwritten(*c.a, strings).empty())
    report(c, theirs, "the read returned before the write");
}

}  // namespace starry::diff
