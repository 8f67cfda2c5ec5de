#include "align.h"

#include <algorithm>
#include <unordered_map>

namespace starry::diff {
namespace {

using Keys = std::span<const uint64_t>;

constexpr size_t MAX_EDITS = 1500;  // of Myers' exact search
constexpr size_t MAX_DEPTH = 24;
constexpr size_t LOOK_AHEAD = 200;  // of the approximate one

class Aligner {
 public:
  Aligner(Keys a, Keys b) : a_(a), b_(b) {}

  std::vector<Match> run() {
    block(0, a_.size(), 0, b_.size(), 0);
    return std::move(matches_);
  }

 private:
  void match(size_t i, size_t j) {
    matches_.emplace_back(static_cast<uint32_t>(i), static_cast<uint32_t>(j));
  }

  // Aligns a[i, i_end) with b[j, j_end).
  void block(size_t i, size_t i_end, size_t j, size_t j_end, size_t depth) {
    while (i < i_end && j < j_end && a_[i] == b_[j]) match(i++, j++);
    size_t tail = 0;
    while (i < i_end - tail && j < j_end - tail && a_[i_end - tail - 1] == b_[j_end - tail - 1]) tail++;
    i_end -= tail;
    j_end -= tail;
    if (i < i_end && j < j_end) middle(i, i_end, j, j_end, depth);
    for (size_t k = 0; k < tail; k++) match(i_end + k, j_end + k);
  }

  void middle(size_t i, size_t i_end, size_t j, size_t j_end, size_t depth) {
    if (depth < MAX_DEPTH) {
      const std::vector<Match> anchors = find_anchors(i, i_end, j, j_end);
      if (!anchors.empty()) {
        for (const auto& [ai, bj] : anchors) {
          if (ai < i || bj < j) continue;  // swallowed by the block before
          block(i, ai, j, bj, depth + 1);
          match(ai, bj);
          i = ai + 1;
          j = bj + 1;
        }
        block(i, i_end, j, j_end, depth + 1);
        return;
      }
    }
    if (!myers(i, i_end, j, j_end)) greedy(i, i_end, j, j_end);
  }

  // Elements that occur once in each; if there are none, runs of 2 or 4 elements that do.
  std::vector<Match> find_anchors(size_t i, size_t i_end, size_t j, size_t j_end) {
    if ((i_end - i) + (j_end - j) < 16) return {};
    for (const size_t n : {size_t{1}, size_t{2}, size_t{4}, size_t{8}}) {
      std::vector<Match> found = unique_runs(i, i_end, j, j_end, n);
      if (!found.empty()) return ascending(found);
    }
    return {};
  }

  uint64_t run_key(Keys keys, size_t at, size_t n) const {
    uint64_t h = 0;
    for (size_t k = 0; k < n; k++) {
      h = (h ^ keys[at + k]) * 0x9e3779b97f4a7c15u;
      h ^= h >> 31;
    }
    return h;
  }

  std::vector<Match> unique_runs(size_t i, size_t i_end, size_t j, size_t j_end, size_t n) {
    struct Seen {
      uint32_t a = 0, b = 0, in_a = 0, in_b = 0;
    };
    std::unordered_map<uint64_t, Seen> seen;
    seen.reserve(i_end - i);
    for (size_t k = i; k + n <= i_end; k++) {
      Seen& s = seen[run_key(a_, k, n)];
      s.a = static_cast<uint32_t>(k);
      s.in_a++;
    }
    for (size_t k = j; k + n <= j_end; k++) {
      const auto it = seen.find(run_key(b_, k, n));
      if (it == seen.end()) continue;
      it->second.b = static_cast<uint32_t>(k);
      it->second.in_b++;
    }
    std::vector<Match> found;
    for (const auto& [key, s] : seen)
      if (s.in_a == 1 && s.in_b == 1 && a_[s.a] == b_[s.b]) found.emplace_back(s.a, s.b);
    return found;
  }

  // The longest subset that ascends in both.
  static std::vector<Match> ascending(std::vector<Match>& m) {
    std::sort(m.begin(), m.end());
    std::vector<uint32_t> ends,
        before(m.size());  // ends[k]: index of the smallest last element of length k+1
    for (uint32_t k = 0; k < m.size(); k++) {
      const auto at = std::lower_bound(ends.begin(), ends.end(), m[k].second,
                                       [&](uint32_t e, uint32_t v) { return m[e].second < v; });
      before[k] = at == ends.begin() ? UINT32_MAX : *(at - 1);
      if (at == ends.end())
        ends.push_back(k);
      else
        *at = k;
    }
    std::vector<Match> out(ends.size());
    uint32_t k = ends.empty() ? UINT32_MAX : ends.back();
    for (size_t n = ends.size(); n-- > 0; k = before[k]) out[n] = m[k];
    return out;
  }

  // E. Myers, "An O(ND) difference algorithm"; false if more than MAX_EDITS edits are needed.
  bool myers(size_t i0, size_t i_end, size_t j0, size_t j_end) {
    const auto n = static_cast<int64_t>(i_end - i0), m = static_cast<int64_t>(j_end - j0);
    const int64_t max = std::min<int64_t>(n + m, static_cast<int64_t>(MAX_EDITS));
    std::vector<int32_t> v(static_cast<size_t>(2 * max + 3), 0);
    std::vector<std::vector<int32_t>> trace;
    const auto at = [&](int64_t k) -> int32_t& { return v[static_cast<size_t>(k + max + 1)]; };
    for (int64_t d = 0; d <= max; d++) {
      trace.emplace_back(v.begin() + (max + 1 - d), v.begin() + (max + 2 + d));
      for (int64_t k = -d; k <= d; k += 2) {
        int64_t x = k == -d || (k != d && at(k - 1) < at(k + 1)) ? at(k + 1) : at(k - 1) + 1;
        int64_t y = x - k;
        while (x < n && y < m && x >= 0 && y >= 0 &&
               a_[i0 + static_cast<size_t>(x)] == b_[j0 + static_cast<size_t>(y)])
          x++, y++;
        at(k) = static_cast<int32_t>(x);
        if (x >= n && y >= m) {
          backtrack(trace, d, n, m, i0, j0);
          return true;
        }
      }
    }
    return false;
  }

  // trace[d] holds the values of k in [-d, d] before step d.
  void backtrack(const std::vector<std::vector<int32_t>>& trace, int64_t d, int64_t x, int64_t y, size_t i0,
                 size_t j0) {
    std::vector<Match> found;
    for (; d >= 0; d--) {
      const auto value = [&](int64_t k) -> int64_t {
        if (k < -d || k > d) return -1;
        return trace[static_cast<size_t>(d)][static_cast<size_t>(k + d)];
      };
      const int64_t k = x - y;
      const int64_t from = k == -d || (k != d && value(k - 1) < value(k + 1)) ? k + 1 : k - 1;
      const int64_t fx = d == 0 ? 0 : value(from), fy = d == 0 ? 0 : fx - from;
      while (x > fx && y > fy) {
        x--, y--;
        found.emplace_back(static_cast<uint32_t>(i0 + static_cast<size_t>(x)),
                           static_cast<uint32_t>(j0 + static_cast<size_t>(y)));
      }
      x = fx;
      y = fy;
    }
    matches_.insert(matches_.end(), found.rbegin(), found.rend());
  }

  // The nearest equal pair ahead, again and again.
  void greedy(size_t i, size_t i_end, size_t j, size_t j_end) {
    while (i < i_end && j < j_end) {
      if (a_[i] == b_[j]) {
        match(i++, j++);
        continue;
      }
      bool found = false;
      for (size_t sum = 1; sum <= LOOK_AHEAD && !found; sum++)
        for (size_t da = 0; da <= sum && !found; da++) {
          const size_t db = sum - da;
          if (i + da < i_end && j + db < j_end && a_[i + da] == b_[j + db]) {
            i += da;
            j += db;
            found = true;
          }
        }
      if (!found) {
        i += LOOK_AHEAD / 2;
        j += LOOK_AHEAD / 2;
      }
    }
  }

  Keys a_, b_;
  std::vector<Match> matches_;
};

}  // namespace

std::vector<Match> align(std::span<const uint64_t> a, std::span<const uint64_t> b) {
  return Aligner(a, b).run();
}

}  // namespace starry::diff
