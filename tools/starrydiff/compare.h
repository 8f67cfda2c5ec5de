// The heart: two logs, aligned and compared.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "event.h"
#include "normalise.h"
#include "pair.h"
#include "rules.h"

namespace starry::diff {

// In the order of weight.
enum class Kind : uint8_t { missing, extra, result, error, argument, order };
constexpr int KINDS = 6;
const char* kind_text(Kind k);  // "missing call", ...

constexpr uint32_t NONE = UINT32_MAX;

struct Divergence {
  Kind kind = Kind::missing;
  uint32_t pair = NONE;         // index in Comparison::pairs; NONE: a whole task
  uint32_t a = NONE, b = NONE;  // events
  uint32_t count = 1;           // that many calls in a row are missing or extra
  uint32_t row = 0;             // in PairResult::rows
  uint32_t line = 0;            // position in the first log: by which "first" is decided
  int arg = -1;                 // the argument that differs, from 0; -1: the result
  bool timing = false;          // chance: shown, not counted
  const char* note = "";        // more about it
  std::string ignored_by;       // a rule, or "varies between native runs"
  bool counts() const { return !timing && ignored_by.empty(); }
};

enum class RowState : uint8_t { same, folded, timing, different };
struct Row {
  uint32_t a = NONE, b = NONE;
  uint32_t a_count = 1, b_count = 1;  // turns of a loop, or calls that only wait or ask
  RowState state = RowState::same;
  uint32_t divergence = NONE;  // index in Comparison::divergences
};

struct PairResult {
  TaskPair tasks;
  bool parallel = false;
  std::vector<Row> rows;
  uint32_t first = NONE;  // its first divergence that counts
  uint32_t counted = 0, timing = 0;
};

struct Comparison {
  const Log* a = nullptr;
  const Log* b = nullptr;
  std::vector<PairResult> pairs;
  std::vector<uint32_t> only_a, only_b, outside_a, outside_b;
  std::vector<Divergence> divergences;  // first the one that comes first; see rank()
  uint32_t by_kind[KINDS] = {};
  uint64_t matched = 0, folded = 0, timing = 0, natural = 0, ignored = 0;
  uint32_t counted = 0;
  uint32_t first = NONE;
};

// What differs between native runs of the same job.
struct Variation {
  std::unordered_set<uint64_t> events;   // of the first log
  std::unordered_set<uint64_t> classes;  // task name, call and kind
  bool empty() const { return events.empty() && classes.empty(); }
};

Comparison compare(const Log& a, const Log& b, const Strings& strings, const Normal& normal,
                   const Variation& variation, const Rules& rules);

// Adds what this comparison of two native logs shows.
void add_variation(Variation& v, const Comparison& c, const Strings& strings);

// Indices of the divergences that count, heaviest kind first, then by place. The first one is left out.
std::vector<uint32_t> ranked(const Comparison& c, uint32_t pair);

}  // namespace starry::diff
