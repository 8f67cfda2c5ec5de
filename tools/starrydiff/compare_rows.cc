#include "compare_rows.h"

#include <algorithm>
#include <cstdlib>
#include <unordered_map>

#include "calls.h"

namespace starry::diff {
namespace {

constexpr uint32_t ORDER_DISTANCE = 64;  // rows; farther apart they are two differences
constexpr uint32_t STORM = 100, STORM_FACTOR = 3;

std::vector<uint64_t> keys(const Sequence& s, size_t from, size_t to) {
  std::vector<uint64_t> k;
  k.reserve(to - from);
  for (size_t i = from; i < to; i++) k.push_back(s.items[i].key);
  return k;
}

// The task did not end itself: it was killed, or another thread ended the process.
bool ended_by_others(const Log& log, const Task& task, const Strings& strings) {
  for (size_t k = task.events.size(); k-- > 0;) {
    const Event& e = log.events[task.events[k]];
    if (e.type == EventType::killed || e.type == EventType::exec) return true;
    if (e.type != EventType::call) continue;
    return task.thread && !strings[e.name].starts_with("exit");
  }
  return false;
}

size_t place(const Task& t, uint32_t event) {
  return static_cast<size_t>(std::lower_bound(t.events.begin(), t.events.end(), event) - t.events.begin());
}

}  // namespace

uint32_t PairWalk::add(Divergence d) {
  d.pair = pair_;
  out_.divergences.push_back(std::move(d));
  return static_cast<uint32_t>(out_.divergences.size() - 1);
}

// What threads and other processes make differ from run to run: waiting, asking, malloc's share-out.
bool PairWalk::by_chance(const Log& log, const Event& e) const {
  if (!normal_.timing || !context_.parallel) return false;
  if (e.flags & (EV_WAIT | EV_IDLE)) return true;
  // A shell waits for its children in a handler or outside of it.
  if (context_.reaped && e.number > 0 && e.args.starts_with("-1") && strings_[e.name] == "wait4") return true;
  if (context_.alone || e.has(EV_FAILED)) return false;
  // Threads of a pool are woken through pipes; a wake is saved if they are awake.
  if (context_.pools && e.ref_count > 0 && log.refs[e.first_ref].kind == RefKind::fd) {
    const std::string_view label = strings_[log.objects[log.refs[e.first_ref].object].label];
    const std::string_view name = strings_[e.name];
    if ((label.starts_with("pipe") || label.starts_with("eventfd")) &&
        (reads_stream(name) || writes_stream(name)))
      return true;
  }
  // How many stacks and heaps are reserved depends on which threads have ended.
  return e.has(EV_HEAP) || (e.ret_is_ref && strings_[e.name] == "mmap" &&
                            log.objects[log.refs[e.first_ref + e.ref_count - 1u].object].arena);
}

// A thread of a pool serves its descriptors as they become ready: their order is chance.
bool PairWalk::served(const Event& e) const {
  return normal_.timing && context_.pool && e.ref_count > 0 && a_.refs[e.first_ref].kind == RefKind::fd;
}

void PairWalk::idle_before(size_t i, size_t j) {
  for (;;) {
    const Idle* x = idle_a_ < sa_.idle.size() && sa_.idle[idle_a_].before <= i ? &sa_.idle[idle_a_] : nullptr;
    const Idle* y = idle_b_ < sb_.idle.size() && sb_.idle[idle_b_].before <= j ? &sb_.idle[idle_b_] : nullptr;
    if (x == nullptr && y == nullptr) return;
    Row r;
    r.state = RowState::folded;
    r.a_count = r.b_count = 0;
    if (x != nullptr) {
      r.a = x->event;
      r.a_count = x->count;
      out_.folded += x->count;
      idle_a_++;
    }
    if (y != nullptr) {
      r.b = y->event;
      r.b_count = y->count;
      idle_b_++;
    }
    result_->rows.push_back(r);
  }
}

void PairWalk::both(size_t i, size_t j) {
  idle_before(i, j);
  const Item &x = sa_.items[i], &y = sb_.items[j];
  const Event &a = a_.events[x.event], &b = b_.events[y.event];
  line_ = a.line;
  Row r{x.event, y.event, x.count, y.count, RowState::same, NONE};
  out_.matched++;
  if (a.type == EventType::call) last_match_ = static_cast<uint32_t>(result_->rows.size());
  if (x.count > 1 || y.count > 1) {
    r.state = RowState::folded;
    out_.folded += x.count - 1;
  }
  const CallVerdict v = calls_.compare(a, b, context_);
  if (!v.same) {
    Divergence d;
    d.kind = v.kind;
    d.a = x.event;
    d.b = y.event;
    d.row = static_cast<uint32_t>(result_->rows.size());
    d.line = a.line;
    d.arg = v.arg;
    d.timing = v.timing;
    d.note = v.note;
    r.state = v.timing ? RowState::timing : RowState::different;
    r.divergence = add(std::move(d));
  }
  result_->rows.push_back(r);
}

void PairWalk::lone(size_t k, bool first) {
  const Item& x = first ? sa_.items[k] : sb_.items[k];
  Row r;
  (first ? r.a : r.b) = x.event;
  (first ? r.a_count : r.b_count) = x.count;
  r.state = RowState::different;
  if (first) line_ = a_.events[x.event].line;
  singles_.push_back({static_cast<uint32_t>(result_->rows.size()), first, x.event, x.key});
  result_->rows.push_back(r);
}

// Between two matches: calls of the same name may be the same call with another argument.
void PairWalk::gap(size_t i, size_t i_end, size_t j, size_t j_end) {
  if (i < i_end && j < j_end) {
    const auto names = [](const Log& log, const Sequence& s, size_t from, size_t to) {
      std::vector<uint64_t> n;
      for (size_t k = from; k < to; k++) {
        const Event& e = log.events[s.items[k].event];
        n.push_back(mix(static_cast<uint64_t>(e.type), e.name));
      }
      return n;
    };
    const auto na = names(a_, sa_, i, i_end), nb = names(b_, sb_, j, j_end);
    const size_t i0 = i, j0 = j;
    for (const auto& [x, y] : align(na, nb)) {
      gap(i, i0 + x, j_end, j_end);
      gap(i_end, i_end, j, j0 + y);
      both(i0 + x, j0 + y);
      i = i0 + x + 1;
      j = j0 + y + 1;
    }
  }
  for (; i < i_end; i++) {
    idle_before(i, 0);
    lone(i, true);
  }
  for (; j < j_end; j++) {
    idle_before(0, j);
    lone(j, false);
  }
}

void PairWalk::run(const TaskPair& p, PairResult& result) {
  result_ = &result;
  const Task &ta = a_.tasks[p.a], &tb = b_.tasks[p.b];
  Surroundings around{context_.parallel, context_.alone};
  for (const Log* log : {&a_, &b_})
    for (const uint32_t i : log->tasks[log == &a_ ? p.a : p.b].events)
      if (log->events[i].type == EventType::call && strings_[log->events[i].name] == "rt_sigreturn")
        around.rt_sigreturn = log->events[i].name;
  sa_ = fold(a_, ta.events, p.a_from, around, normal_);
  sb_ = fold(b_, tb.events, p.b_from, around, normal_);
  cut_short_ = context_.parallel && normal_.timing && ended_by_others(a_, ta, strings_) &&
               ended_by_others(b_, tb, strings_);
  const auto ka = keys(sa_, 0, sa_.items.size()), kb = keys(sb_, 0, sb_.items.size());
  size_t i = 0, j = 0;
  for (const auto& [x, y] : align(ka, kb)) {
    gap(i, x, j, y);
    both(x, y);
    i = x + 1;
    j = y + 1;
  }
  gap(i, sa_.items.size(), j, sb_.items.size());
  idle_before(sa_.items.size(), sb_.items.size());
  find_moved();
}

void PairWalk::finish() {
  group_rest();
  signals();
  storms();
}

// Signals and their handlers, in their own order.
void PairWalk::signals() {
  const auto& xs = sa_.asynchronous;
  const auto& ys = sb_.asynchronous;
  if (xs.empty() && ys.empty()) return;
  std::vector<uint64_t> ka, kb;
  for (const Item& x : xs) ka.push_back(x.key);
  for (const Item& y : ys) kb.push_back(y.key);
  // Children's ends melt into one signal; where one was sent none should be missing altogether.
  const auto is_child = [&](const Log& log, uint32_t event) {
    return strings_[log.events[event].name] == "SIGCHLD";
  };
  const auto any_child = [&](const Log& log, const std::vector<Item>& items) {
    return std::any_of(items.begin(), items.end(), [&](const Item& i) { return is_child(log, i.event); });
  };
  const bool children = any_child(a_, xs) && any_child(b_, ys);
  // Folded rows by their first event: the one that holds an event is the last that begins no later.
  std::vector<std::pair<uint32_t, uint32_t>> folded[2];
  for (uint32_t r = 0; r < result_->rows.size(); r++) {
    const Row& row = result_->rows[r];
    if (row.state != RowState::folded) continue;
    if (row.a != NONE) folded[0].emplace_back(row.a, r);
    if (row.b != NONE) folded[1].emplace_back(row.b, r);
  }
  const auto row_of = [&](bool first, uint32_t event) -> uint32_t {
    const auto& rows = folded[first ? 0 : 1];
    const auto at = std::upper_bound(rows.begin(), rows.end(), std::pair(event, NONE));
    return at == rows.begin() ? NONE : (at - 1)->second;
  };
  const auto lone = [&](bool first, uint32_t event) {
    const Event& e = (first ? a_ : b_).events[event];
    Divergence d;
    d.kind = first ? Kind::missing : Kind::extra;
    (first ? d.a : d.b) = event;
    d.row = row_of(first, event);
    d.line = first ? e.line : line_before(d.row);
    // A handler that ran is a signal that came; how often SIGCHLD comes is chance.
    d.timing = children || cut_short_ || e.type == EventType::call;
    d.note = "a signal or its handler";
    add(std::move(d));
  };
  size_t i = 0, j = 0;
  const auto gap = [&](size_t i_end, size_t j_end) {
    for (; i < i_end; i++) lone(true, xs[i].event);
    for (; j < j_end; j++) lone(false, ys[j].event);
  };
  for (const auto& [x, y] : align(ka, kb)) {
    gap(x, y);
    const Event &a = a_.events[xs[x].event], &b = b_.events[ys[y].event];
    const CallVerdict v = calls_.compare(a, b, context_);
    out_.matched++;
    if (!v.same) {
      Divergence d;
      d.kind = v.kind;
      d.a = xs[x].event;
      d.b = ys[y].event;
      d.row = row_of(true, d.a);
      d.line = a.line;
      d.arg = v.arg;
      d.timing = v.timing;
      d.note = v.note;
      add(std::move(d));
    }
    i = x + 1;
    j = y + 1;
  }
  gap(xs.size(), ys.size());
}

// The last line of the first log before a row.
uint32_t PairWalk::line_before(uint32_t row) const {
  for (size_t r =
           std::min<size_t>(row == NONE ? result_->rows.size() : row + size_t{1}, result_->rows.size());
       r-- > 0;)
    if (result_->rows[r].a != NONE) return a_.events[result_->rows[r].a].line;
  return 0;
}

// The same call missing here and extra near by: another order.
void PairWalk::find_moved() {
  std::unordered_map<uint64_t, std::vector<uint32_t>> extra;
  for (uint32_t k = 0; k < singles_.size(); k++)
    if (!singles_[k].first) extra[singles_[k].key].push_back(k);
  for (Single& s : singles_) {
    // A question may be asked anywhere; its place says nothing.
    if (!s.first || (a_.events[s.event].flags & (EV_IDLE | EV_WAIT)) == EV_IDLE) continue;
    const auto it = extra.find(s.key);
    if (it == extra.end()) continue;
    for (const uint32_t k : it->second) {
      Single& t = singles_[k];
      const uint32_t distance = t.row > s.row ? t.row - s.row : s.row - t.row;
      if (t.done) continue;
      if (distance > ORDER_DISTANCE && !served(a_.events[s.event])) continue;
      s.done = t.done = true;
      Divergence d;
      d.kind = Kind::order;
      d.a = s.event;
      d.b = t.event;
      d.row = s.row;
      d.line = a_.events[s.event].line;
      d.timing = by_chance(a_, a_.events[s.event]) || served(a_.events[s.event]);
      const RowState state = d.timing ? RowState::timing : RowState::different;
      const uint32_t index = add(std::move(d));
      for (const uint32_t row : {s.row, t.row}) {
        result_->rows[row].divergence = index;
        result_->rows[row].state = state;
      }
      break;
    }
  }
}

// A call that hangs where the other log goes on: shown beside the same call among those folded before.
const Event* PairWalk::never_returned(const Single& s) const {
  const Event& e = (s.first ? a_ : b_).events[s.event];
  if (!e.has(EV_UNFINISHED)) return nullptr;
  const Log& other = s.first ? b_ : a_;
  const Task& task = other.tasks[s.first ? result_->tasks.b : result_->tasks.a];
  // Rows before it: the last idle run of the other side.
  for (uint32_t r = s.row + 1; r-- > 0 && r + 32 > s.row;) {
    const Row& row = result_->rows[r];
    const uint32_t begin = s.first ? row.b : row.a, count = s.first ? row.b_count : row.a_count;
    if (begin == NONE || row.state != RowState::folded) continue;
    const size_t at = place(task, begin);
    for (size_t k = std::min<size_t>(at + count, task.events.size()); k-- > at;)
      if (other.events[task.events[k]].key == e.key) return &other.events[task.events[k]];
  }
  return nullptr;
}

void PairWalk::group_rest() {
  uint32_t open = NONE;  // the divergence that may grow
  Id last_stream = 0;    // calls on one stream are grouped by themselves: compare.cc judges its bytes
  const Single* last = nullptr;
  uint32_t line = 0, row = 0;
  for (const Single& s : singles_) {
    if (s.done) continue;
    for (; row <= s.row; row++)
      if (result_->rows[row].a != NONE) line = a_.events[result_->rows[row].a].line;
    const Log& log = s.first ? a_ : b_;
    const Event& e = log.events[s.event];
    const bool chance = by_chance(log, e) || s.pooled || (cut_short_ && s.row > last_match_);
    const bool hangs = e.has(EV_UNFINISHED);
    const Id stream = e.has(EV_FAILED) ? 0 : stream_label(log, strings_, e);
    if (open != NONE && last->first == s.first && last->row + 1 == s.row &&
        out_.divergences[open].timing == chance && !hangs && stream == last_stream) {
      out_.divergences[open].count++;
    } else {
      Divergence d;
      d.kind = s.first ? Kind::missing : Kind::extra;
      (s.first ? d.a : d.b) = s.event;
      d.row = s.row;
      d.line = line;
      d.timing = chance && !(hangs && !s.first);
      if (s.pooled) d.note = "another thread of its pool has made it";
      if (hangs) {
        d.note = s.first ? "did not return in the first log" : "never returned";
        if (const Event* partner = never_returned(s)) {
          d.kind = Kind::result;
          (s.first ? d.b : d.a) = static_cast<uint32_t>(partner - (s.first ? b_ : a_).events.data());
        }
      }
      open = add(std::move(d));
    }
    result_->rows[s.row].divergence = open;
    result_->rows[s.row].state = out_.divergences[open].timing ? RowState::timing : RowState::different;
    last = &s;
    last_stream = stream;
  }
}

// Waiting far more often than natural is no chance: a level-triggered edge, a timeout that is not kept.
void PairWalk::storms() {
  if (!context_.parallel || !normal_.timing) return;
  struct Count {
    uint32_t a = 0, b = 0, event = NONE, row = 0;
  };
  std::unordered_map<Id, Count> counts;
  const Task &ta = a_.tasks[result_->tasks.a], &tb = b_.tasks[result_->tasks.b];
  for (size_t k = result_->tasks.a_from; k < ta.events.size(); k++)
    if (a_.events[ta.events[k]].has(EV_WAIT)) counts[a_.events[ta.events[k]].name].a++;
  for (size_t k = result_->tasks.b_from; k < tb.events.size(); k++) {
    const Event& e = b_.events[tb.events[k]];
    if (!e.has(EV_WAIT)) continue;
    Count& c = counts[e.name];
    c.b++;
    if (c.b > c.a * STORM_FACTOR + STORM && c.event == NONE) c.event = tb.events[k];
  }
  for (const auto& [name, c] : counts) {
    if (c.event == NONE || c.b <= c.a * STORM_FACTOR + STORM) continue;
    Divergence d;
    d.kind = Kind::extra;
    d.b = c.event;
    d.count = c.b - c.a;
    d.row = NONE;
    d.line = a_.events[ta.events.empty() ? 0 : ta.events.back()].line;
    d.note = "far more often than in the first log";
    add(std::move(d));
  }
}

}  // namespace starry::diff
