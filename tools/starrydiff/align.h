// Alignment of two sequences of keys: which element of one is which of the other.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace starry::diff {

using Match = std::pair<uint32_t, uint32_t>;  // index in a, index in b

// Matches of equal keys, ascending in both. Patience (anchors that occur once on both sides, then runs of
// them), and Myers between the anchors; where the two have little in common and the exact answer would be
// slow, an approximate one. Time grows close to linearly with the length for logs that are alike.
std::vector<Match> align(std::span<const uint64_t> a, std::span<const uint64_t> b);

}  // namespace starry::diff
