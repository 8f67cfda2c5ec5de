// Interned text: equal strings of all logs of one run have one number, so that comparing is comparing
// numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace starry::diff {

using Id = uint32_t;

template <typename List>
bool among(const List& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

constexpr bool digit(char c) { return c >= '0' && c <= '9'; }
// What a name is made of.
constexpr bool word(char c) {
  return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

uint64_t hash_text(std::string_view text, uint64_t seed = 0);
constexpr uint64_t mix(uint64_t a, uint64_t b) {
  a ^= b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2);
  a *= 0xff51afd7ed558ccdu;
  return a ^ (a >> 32);
}

// Text that lives as long as the arena.
class Arena {
 public:
  std::string_view keep(std::string_view text);

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t used_ = 0, size_ = 0;
};

class Strings {
 public:
  Strings();
  Id intern(std::string_view text);
  std::string_view operator[](Id id) const { return texts_[id]; }
  size_t size() const { return texts_.size(); }

 private:
  void grow();
  Arena arena_;
  std::vector<std::string_view> texts_;
  std::vector<uint32_t> hashes_;
  std::vector<Id> slots_;  // open addressing; EMPTY or an index of texts_
};

}  // namespace starry::diff
