#include "compare.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <unordered_map>

#include "align.h"
#include "calls.h"
#include "causal.h"
#include "compare_calls.h"
#include "compare_rows.h"
#include "fold.h"
#include "match.h"
#include "pool.h"

namespace starry::diff {
namespace {

size_t digits(int64_t n) { return std::to_string(n).size(); }

class Comparer {
 public:
  Comparer(const Log& a, const Log& b, const Strings& strings, const Normal& normal)
      : a_(a),
        b_(b),
        strings_(strings),
        normal_(normal),
        matcher_(a, b, strings, normal),
        calls_(a, b, strings, normal, matcher_) {}

  Comparison run() {
    out_.a = &a_;
    out_.b = &b_;
    Pairing pairing = pair_tasks(a_, b_, strings_);
    random_ = normal_.random && asks_for_random(a_, strings_) && asks_for_random(b_, strings_);
    threads_a_ = threads(a_);
    threads_b_ = threads(b_);
    const bool many =
        pairing.pairs.size() + pairing.only_a.size() > 1 || pairing.pairs.size() + pairing.only_b.size() > 1;
    // What a log leaves out by design is not missing in it.
    if (a_.first_task_only) leave_out(pairing.only_b, pairing.outside_b);
    if (b_.first_task_only) leave_out(pairing.only_a, pairing.outside_a);
    for (const TaskPair& p : pairing.pairs)
      if (a_.tasks[p.a].tid > 0 && b_.tasks[p.b].tid > 0)
        matcher_.bind_pid(a_.tasks[p.a].tid, b_.tasks[p.b].tid);
    walk(pairing.pairs, many);
    for (const uint32_t t : pairing.only_a) whole_task(Kind::missing, t);
    for (const uint32_t t : pairing.only_b) whole_task(Kind::extra, t);
    out_.only_a = std::move(pairing.only_a);
    out_.only_b = std::move(pairing.only_b);
    out_.outside_a = std::move(pairing.outside_a);
    out_.outside_b = std::move(pairing.outside_b);
    streams();
    if (!a_.raw && !b_.raw) causes(out_, strings_);
    return std::move(out_);
  }

 private:
  static void leave_out(std::vector<uint32_t>& tasks, std::vector<uint32_t>& outside) {
    outside.insert(outside.end(), tasks.begin(), tasks.end());
    tasks.clear();
  }

  // How many threads each process has, by its leader.
  static std::vector<uint32_t> threads(const Log& log) {
    std::vector<uint32_t> n(log.tasks.size(), 0);
    for (const Task& t : log.tasks) n[t.leader]++;
    return n;
  }

  void walk(const std::vector<TaskPair>& pairs, bool many) {
    const std::vector<uint32_t> pool_of = pools(a_, pairs, strings_);
    std::deque<PairWalk> walks;
    out_.pairs.resize(pairs.size());
    for (uint32_t i = 0; i < pairs.size(); i++) {
      TaskContext context = surroundings(pairs[i], many);
      context.pool = pool_of[i] != NO_POOL;
      context.swapped = context.pool && a_.tasks[pairs[i].a].name != b_.tasks[pairs[i].b].name;
      for (uint32_t k = 0; k < pairs.size(); k++)
        context.pools |= pool_of[k] != NO_POOL && a_.tasks[pairs[k].a].leader == a_.tasks[pairs[i].a].leader;
      out_.pairs[i].tasks = pairs[i];
      out_.pairs[i].parallel = many;
      walks.emplace_back(a_, b_, strings_, normal_, calls_, context, out_, i);
      walks.back().run(pairs[i], out_.pairs[i]);
    }
    if (normal_.timing) match_pools(walks, pool_of);
    for (PairWalk& w : walks) w.finish();
    if (normal_.timing) signals();
  }

  // A signal to a process is taken by whichever of its threads is in reach.
  void signals() {
    std::map<std::pair<uint32_t, Id>, std::vector<Divergence*>> missing;  // process and signal
    const auto lone = [&](const Divergence& d, Kind kind) {
      return d.kind == kind && !d.timing && d.pair != NONE && event_of(d).type == EventType::signal;
    };
    const auto process = [&](const Divergence& d) { return a_.tasks[out_.pairs[d.pair].tasks.a].leader; };
    for (Divergence& d : out_.divergences)
      if (lone(d, Kind::missing)) missing[{process(d), event_of(d).name}].push_back(&d);
    for (Divergence& d : out_.divergences) {
      if (!lone(d, Kind::extra)) continue;
      auto& others = missing[{process(d), event_of(d).name}];
      if (others.empty()) continue;
      d.timing = others.back()->timing = true;
      d.note = others.back()->note = "another thread of the process took it";
      others.pop_back();
    }
  }

  TaskContext surroundings(const TaskPair& p, bool many) const {
    const Task &ta = a_.tasks[p.a], &tb = b_.tasks[p.b];
    TaskContext context;
    context.alone = threads_a_[ta.leader] <= 1 && threads_b_[tb.leader] <= 1;
    context.parallel = many;
    context.raw = a_.raw || b_.raw;
    context.random = random_;
    context.reaped = reaped(a_, ta) == reaped(b_, tb);
    if (ta.tgid > 0 && tb.tgid > 0)
      context.pid_digits = static_cast<int64_t>(digits(tb.tgid)) - static_cast<int64_t>(digits(ta.tgid));
    return context;
  }

  // Children whose ends the task was told of.
  size_t reaped(const Log& log, const Task& task) const {
    return static_cast<size_t>(std::count_if(task.events.begin(), task.events.end(), [&](uint32_t i) {
      const Event& e = log.events[i];
      return e.type == EventType::call && e.number > 0 && strings_[e.name] == "wait4";
    }));
  }

  void whole_task(Kind kind, uint32_t task) {
    const Log& log = kind == Kind::missing ? a_ : b_;
    Divergence d;
    d.kind = kind;
    d.note = log.tasks[task].thread ? "a whole thread" : "a whole process";
    (kind == Kind::missing ? d.a : d.b) = log.tasks[task].events[0];
    d.count = static_cast<uint32_t>(log.tasks[task].events.size());
    d.line = log.events[log.tasks[task].events[0]].line;
    out_.divergences.push_back(std::move(d));
  }

  // Bytes of a stream may come in other portions; if all came, that is chance.
  void streams() {
    if (!normal_.timing) return;
    bool any = false;
    for (const Divergence& d : out_.divergences) any = any || may_be_portion(d);
    if (!any) return;
    const Streams mine = count_streams(a_), theirs = count_streams(b_);
    for (Divergence& d : out_.divergences) {
      if (!may_be_portion(d)) continue;
      const Event& e = event_of(d);
      const StreamKey key{reads_stream(strings_[e.name]), stream_label(log_of(d), strings_, e)};
      const auto a = mine.totals.find(key), b = theirs.totals.find(key);
      if (a == mine.totals.end() || b == theirs.totals.end() || a->second.bytes != b->second.bytes) continue;
      if (d.a != NONE && d.b != NONE) {
        const Event &x = a_.events[d.a], &y = b_.events[d.b];
        // The same bytes of the stream, and they are others.
        if (!random_ && x.number == y.number && mine.at.at(d.a) == theirs.at.at(d.b)) continue;
        // A descriptor that waits until all is written wrote in part.
        if (y.number < x.number && !key.first && !a->second.in_part && !b->second.would_block &&
            y.number < asked_for(b_, y))
          continue;
      }
      d.timing = true;
      d.note = "the same bytes in other portions";
    }
  }

  using StreamKey = std::pair<bool, Id>;  // reads?, label of the descriptor
  struct Total {
    int64_t bytes = 0;
    bool in_part = false;      // a call wrote less than it was asked to
    bool would_block = false;  // the descriptor does not wait
  };
  struct Streams {
    std::map<StreamKey, Total> totals;
    std::unordered_map<uint32_t, int64_t> at;  // event: bytes of its stream before it
  };
  Streams count_streams(const Log& log) const {
    Streams s;
    for (uint32_t i = 0; i < log.events.size(); i++) {
      const Event& e = log.events[i];
      const Id label = stream_label(log, strings_, e);
      if (label == 0) continue;
      const bool reads = reads_stream(strings_[e.name]);
      Total& t = s.totals[{reads, label}];
      s.at[i] = t.bytes;
      if (strings_[e.error] == "EAGAIN") t.would_block = true;
      if (e.number > 0 && !e.has(EV_FAILED)) {
        t.bytes += e.number;
        t.in_part = t.in_part || (!reads && e.number < asked_for(log, e));
      }
    }
    return s;
  }

  // The length that write and sendto were given; 0 for calls with several buffers.
  int64_t asked_for(const Log& log, const Event& e) const {
    const std::string_view name = strings_[e.name];
    if ((name != "write" && name != "sendto") || e.arg_count < 3) return 0;
    return std::strtoll(std::string(strings_[log.args[e.first_arg + 2].text]).c_str(), nullptr, 0);
  }

  const Log& log_of(const Divergence& d) const { return d.a != NONE ? a_ : b_; }
  const Event& event_of(const Divergence& d) const { return log_of(d).events[d.a != NONE ? d.a : d.b]; }

  bool may_be_portion(const Divergence& d) const {
    return !d.timing && d.pair != NONE && out_.pairs[d.pair].parallel && d.kind != Kind::error &&
           !event_of(d).has(EV_FAILED) && stream_label(log_of(d), strings_, event_of(d)) != 0;
  }

  const Log &a_, &b_;
  const Strings& strings_;
  const Normal& normal_;
  Matcher matcher_;
  CallComparer calls_;
  Comparison out_;
  std::vector<uint32_t> threads_a_, threads_b_;
  bool random_ = false;
};

// --- What of it counts ---

uint64_t class_of(const Comparison& c, const Strings& strings, const Divergence& d) {
  const Log& log = d.a != NONE ? *c.a : *c.b;
  const Event& e = log.events[d.a != NONE ? d.a : d.b];
  const bool presence = d.kind == Kind::missing || d.kind == Kind::extra || d.kind == Kind::order;
  const Id task = log.tasks[e.task].name;
  return mix(mix(hash_text(strings[task]), hash_text(strings[e.name])),
             mix(presence ? 1 : 2, static_cast<uint64_t>(e.type)));
}

RuleFacts facts(const Comparison& c, const Strings& strings, const Divergence& d) {
  static constexpr const char* KIND[] = {"missing", "extra", "result", "errno", "argument", "order"};
  RuleFacts f;
  f.kind = KIND[static_cast<int>(d.kind)];
  const auto side = [&](const Log& log, uint32_t event, std::string& text, std::string& error) {
    if (event == NONE) return;
    const Event& e = log.events[event];
    text = event_text(e, strings);
    error = strings[e.error];
    f.call = strings[e.name];
    f.thread = strings[log.tasks[e.task].name];
    f.is_signal = e.type == EventType::signal;
  };
  side(*c.b, d.b, f.text_b, f.error_b);
  side(*c.a, d.a, f.text_a, f.error_a);
  return f;
}

}  // namespace

const char* kind_text(Kind k) {
  static constexpr const char* TEXT[] = {"missing call", "extra call",     "other result",
                                         "other errno",  "other argument", "other order"};
  return TEXT[static_cast<int>(k)];
}

Comparison compare(const Log& a, const Log& b, const Strings& strings, const Normal& normal,
                   const Variation& variation, const Rules& rules) {
  Comparison c = Comparer(a, b, strings, normal).run();
  for (uint32_t i = 0; i < c.divergences.size(); i++) {
    Divergence& d = c.divergences[i];
    if (!d.timing && !variation.empty() &&
        ((d.a != NONE && variation.events.contains(d.a)) ||
         variation.classes.contains(class_of(c, strings, d)))) {
      d.ignored_by = "varies between native runs";
      c.natural++;
    } else if (!d.timing && !rules.empty()) {
      if (const std::string* rule = rules.match(facts(c, strings, d))) {
        d.ignored_by = *rule;
        c.ignored++;
      }
    }
    if (d.timing) c.timing++;
    PairResult* pair = d.pair != NONE ? &c.pairs[d.pair] : nullptr;
    if (pair != nullptr && d.row < pair->rows.size() && !d.counts())
      for (uint32_t r = d.row; r < pair->rows.size() && pair->rows[r].divergence == i; r++)
        pair->rows[r].state = RowState::timing;
    if (!d.counts()) {
      if (pair != nullptr) pair->timing++;
      continue;
    }
    c.counted++;
    c.by_kind[static_cast<int>(d.kind)]++;
    const auto earlier = [&](uint32_t than) { return than == NONE || d.line < c.divergences[than].line; };
    if (earlier(c.first)) c.first = i;
    if (pair != nullptr) {
      pair->counted++;
      if (earlier(pair->first)) pair->first = i;
    }
  }
  return c;
}

void add_variation(Variation& v, const Comparison& c, const Strings& strings) {
  for (const Divergence& d : c.divergences) {
    if (d.timing) continue;
    if (d.a != NONE && d.pair != NONE) {
      const auto& events = c.a->tasks[c.a->events[d.a].task].events;
      const auto at = std::lower_bound(events.begin(), events.end(), d.a);
      for (uint32_t k = 0; k < d.count && at + k < events.end(); k++) v.events.insert(*(at + k));
    }
    if (d.count <= 8) v.classes.insert(class_of(c, strings, d));
  }
}

std::vector<uint32_t> ranked(const Comparison& c, uint32_t pair) {
  std::vector<uint32_t> out;
  const uint32_t first = pair != NONE ? c.pairs[pair].first : NONE;
  for (uint32_t i = 0; i < c.divergences.size(); i++)
    if (c.divergences[i].pair == pair && c.divergences[i].counts() && i != first) out.push_back(i);
  std::stable_sort(out.begin(), out.end(), [&](uint32_t x, uint32_t y) {
    const Divergence &dx = c.divergences[x], &dy = c.divergences[y];
    return dx.kind != dy.kind ? dx.kind < dy.kind : dx.line < dy.line;
  });
  return out;
}

}  // namespace starry::diff
