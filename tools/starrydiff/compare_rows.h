// Walks the aligned calls of one pair of tasks and notes rows and divergences.
#pragma once

#include <vector>

#include "align.h"
#include "compare_calls.h"
#include "fold.h"

namespace starry::diff {

class PairWalk {
 public:
  PairWalk(const Log& a, const Log& b, const Strings& strings, const Normal& normal, CallComparer& calls,
           const TaskContext& context, Comparison& out, uint32_t pair)
      : a_(a),
        b_(b),
        strings_(strings),
        normal_(normal),
        calls_(calls),
        context_(context),
        out_(out),
        pair_(pair) {}
  struct Single {  // a call without a partner
    uint32_t row;
    bool first;  // of log a
    uint32_t event;
    uint64_t key;
    bool done = false;
    bool pooled = false;  // another thread of its pool has made it
  };
  // `result` stays where it is until finish() has returned.
  void run(const TaskPair& p, PairResult& result);
  std::vector<Single>& singles() { return singles_; }
  // What is left without a partner becomes divergences.
  void finish();

 private:
  void gap(size_t i, size_t i_end, size_t j, size_t j_end);
  void both(size_t i, size_t j);
  void lone(size_t k, bool first);
  void idle_before(size_t i, size_t j);
  void signals();
  void find_moved();
  void group_rest();
  void storms();
  uint32_t line_before(uint32_t row) const;
  bool by_chance(const Log& log, const Event& e) const;
  bool served(const Event& e) const;
  uint32_t add(Divergence d);
  const Event* never_returned(const Single& s) const;

  const Log &a_, &b_;
  const Strings& strings_;
  const Normal& normal_;
  CallComparer& calls_;
  const TaskContext context_;
  Comparison& out_;
  const uint32_t pair_;
  PairResult* result_ = nullptr;
  Sequence sa_, sb_;
  size_t idle_a_ = 0, idle_b_ = 0;
  uint32_t line_ = 0;  // the last line of log a that was passed
  std::vector<Single> singles_;
  uint32_t last_match_ = 0;  // the last row with a call of both
  bool cut_short_ = false;   // both tasks were ended by others
};

}  // namespace starry::diff
