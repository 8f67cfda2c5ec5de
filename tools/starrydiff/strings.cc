#include "strings.h"

#include <cstring>

namespace starry::diff {
namespace {
constexpr Id EMPTY = UINT32_MAX;
constexpr size_t BLOCK = 1 << 20;
}  // namespace

uint64_t hash_text(std::string_view text, uint64_t seed) {
  uint64_t h = seed ^ (text.size() * 0x9e3779b97f4a7c15u);
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t w;
    std::memcpy(&w, text.data() + i, 8);
    h = (h ^ w) * 0xff51afd7ed558ccdu;
    h ^= h >> 29;
  }
  uint64_t tail = 0;
  if (i < text.size()) std::memcpy(&tail, text.data() + i, text.size() - i);
  h = (h ^ tail) * 0xc4ceb9fe1a85ec53u;
  return h ^ (h >> 32);
}

std::string_view Arena::keep(std::string_view text) {
  if (text.empty()) return {};
  if (used_ + text.size() > size_) {
    size_ = text.size() > BLOCK ? text.size() : BLOCK;
    used_ = 0;
    blocks_.push_back(std::make_unique<char[]>(size_));
  }
  char* to = blocks_.back().get() + used_;
  std::memcpy(to, text.data(), text.size());
  used_ += text.size();
  return {to, text.size()};
}

Strings::Strings() : slots_(1024, EMPTY) { intern(""); }

void Strings::grow() {
  slots_.assign(slots_.size() * 2, EMPTY);
  for (Id id = 0; id < texts_.size(); id++) {
    size_t i = hashes_[id] & (slots_.size() - 1);
    while (slots_[i] != EMPTY) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = id;
  }
}

Id Strings::intern(std::string_view text) {
  const auto h = static_cast<uint32_t>(hash_text(text));
  size_t i = h & (slots_.size() - 1);
  for (; slots_[i] != EMPTY; i = (i + 1) & (slots_.size() - 1))
    if (hashes_[slots_[i]] == h && texts_[slots_[i]] == text) return slots_[i];
  const Id id = static_cast<Id>(texts_.size());
  slots_[i] = id;
  texts_.push_back(arena_.keep(text));
  hashes_.push_back(h);
  if (texts_.size() * 2 > slots_.size()) grow();
  return id;
}

}  // namespace starry::diff
