#include "compare.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "align.h"
#include "calls.h"
#include "causal.h"
#include "compare_calls.h"
#include "compare_rows.h"
#include "fold.h"
#include "match.h"

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
    random_ = normal_.random && asks_for_random(a_) && asks_for_random(b_);
    threads_a_ = threads(a_);
    threads_b_ = threads(b_);
    const bool many =
        pairing.pairs.size() + pairing.only_a.size() > 1 || pairing.pairs.size() + pairing.only_b.size() > 1;
    for (const TaskPair& p : pairing.pairs)
      if (a_.tasks[p.a].tid > 0 && b_.tasks[p.b].tid > 0)
        matcher_.bind_pid(a_.tasks[p.a].tid, b_.tasks[p.b].tid);
    for (const TaskPair& p : pairing.pairs) pair(p, many);
    for (const uint32_t t : pairing.only_a) whole_task(Kind::missing, t);
    for (const uint32_t t : pairing.only_b) whole_task(Kind::extra, t);
    out_.only_a = std::move(pairing.only_a);
    out_.only_b = std::move(pairing.only_b);
    out_.outside_a = std::move(pairing.outside_a);
    out_.outside_b = std::move(pairing.outside_b);
    if (!a_.raw && !b_.raw) causes(out_, strings_);
    streams();
    return std::move(out_);
  }

 private:
  // How many threads each process has, by its leader.
  static std::vector<uint32_t> threads(const Log& log) {
    std::vector<uint32_t> n(log.tasks.size(), 0);
    for (const Task& t : log.tasks) n[t.leader]++;
    return n;
  }

  // More than the 8 bytes that malloc asks for at the start of every program.
  bool asks_for_random(const Log& log) const {
    return std::any_of(log.events.begin(), log.events.end(), [&](const Event& e) {
      const std::string_view name = strings_[e.name];
      return (name == "getrandom" && !e.args.ends_with(", 8, GRND_NONBLOCK")) ||
             (name.starts_with("open") && e.args.find("/dev/urandom\"") != std::string_view::npos);
    });
  }

  void pair(const TaskPair& p, bool many) {
    const Task &ta = a_.tasks[p.a], &tb = b_.tasks[p.b];
    PairResult result;
    result.tasks = p;
    TaskContext context;
    context.alone = threads_a_[ta.leader] <= 1 && threads_b_[tb.leader] <= 1;
    context.parallel = result.parallel = many;
    context.raw = a_.raw || b_.raw;
    context.random = random_;
    if (ta.tgid > 0 && tb.tgid > 0)
      context.pid_digits = static_cast<int64_t>(digits(tb.tgid)) - static_cast<int64_t>(digits(ta.tgid));
    PairWalk walk(a_, b_, strings_, normal_, calls_, context, out_, static_cast<uint32_t>(out_.pairs.size()));
    walk.run(p, result);
    out_.pairs.push_back(std::move(result));
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
    std::map<std::pair<bool, Id>, int64_t>
        totals;  // reads?, label of the descriptor: bytes of a - bytes of b
    const auto count = [&](const Log& log, int sign) {
      for (const Event& e : log.events) {
        const Id label = stream(log, e);
        if (label != 0 && e.number > 0) totals[{reads_stream(strings_[e.name]), label}] += sign * e.number;
      }
    };
    bool any = false;
    for (const Divergence& d : out_.divergences) any = any || may_be_portion(d);
    if (!any) return;
    count(a_, 1);
    count(b_, -1);
    for (Divergence& d : out_.divergences) {
      if (!may_be_portion(d)) continue;
      const Log& log = d.a != NONE ? a_ : b_;
      const Event& e = log.events[d.a != NONE ? d.a : d.b];
      const auto it = totals.find({reads_stream(strings_[e.name]), stream(log, e)});
      if (it != totals.end() && it->second == 0) {
        d.timing = true;
        d.note = "the same bytes in other portions";
      }
    }
  }

  bool may_be_portion(const Divergence& d) const {
    if (d.timing || d.pair == NONE || !out_.pairs[d.pair].parallel || d.count != 1 || d.kind == Kind::error)
      return false;
    const Log& log = d.a != NONE ? a_ : b_;
    return stream(log, log.events[d.a != NONE ? d.a : d.b]) != 0;
  }

  // The label of the pipe or socket that the call reads or writes; 0 if it is none.
  Id stream(const Log& log, const Event& e) const {
    if (e.type != EventType::call || e.ref_count == 0 || e.has(EV_FAILED)) return 0;
    const std::string_view name = strings_[e.name];
    if (!reads_stream(name) && !writes_stream(name)) return 0;
    const Ref& r = log.refs[e.first_ref];
    if (r.kind != RefKind::fd) return 0;
    const Id label = log.objects[r.object].label;
    const std::string_view text = strings_[label];
    return text.starts_with("pipe") || text.starts_with("socket") || text.starts_with("accept") ? label : 0;
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
