#include "emulated_kernel/trace/record.h"

#include <algorithm>

namespace starry {
namespace {

struct ItemHead {
  RecordItem item;
  uint32_t length;
  uint64_t key;
};

constexpr size_t padded(size_t n) { return (n + 7) & ~size_t{7}; }

}  // namespace

CallEvent RecordHead::event() const {
  CallEvent e;
  e.nr = number;
  std::copy(std::begin(args), std::end(args), e.args);
  e.err = err;
  e.value = value;
  return e;
}

RecordHead& RecordBuilder::start(RecordHead::Kind kind) {
  head_ = RecordHead{};
  head_.kind = kind;
  bytes_.resize(sizeof head_);
  return head_;
}

void RecordBuilder::add(RecordItem item, uint64_t key, std::string_view data) {
  const ItemHead h{item, static_cast<uint32_t>(data.size()), key};
  bytes_.append(reinterpret_cast<const char*>(&h), sizeof h);
  bytes_.append(data);
  bytes_.resize(padded(bytes_.size()));
}

std::string_view RecordBuilder::finish() {
  static_assert(sizeof head_ % 8 == 0);
  head_.size = static_cast<uint32_t>(bytes_.size());
  std::memcpy(bytes_.data(), &head_, sizeof head_);
  return bytes_;
}

void RecordView::clear() {
  ranges_.clear();
  fds_.clear();
  stack.clear();
  blocked.clear();
  preempted.clear();
  siginfo = {};
}

bool RecordView::take_item(std::string_view& items) {
  ItemHead h;
  if (items.size() < sizeof h) return false;
  std::memcpy(&h, items.data(), sizeof h);
  items.remove_prefix(sizeof h);
  if (items.size() < padded(h.length)) return false;
  const std::string_view data = items.substr(0, h.length);
  items.remove_prefix(padded(h.length));
  switch (h.item) {
    case RecordItem::MEMORY:
      ranges_.push_back({h.key, data});
      break;
    case RecordItem::FD:
      fds_.emplace_back(static_cast<int>(h.key), data);
      break;
    case RecordItem::SIGINFO:
      siginfo = data;
      break;
    case RecordItem::STACK:
      stack.push_back(data);
      break;
    case RecordItem::BLOCKED:
    case RecordItem::PREEMPTED: {
      Interval i{h.key, 0, {}};
      if (data.size() < sizeof i.to) return false;
      std::memcpy(&i.to, data.data(), sizeof i.to);
      i.what = data.substr(sizeof i.to);
      (h.item == RecordItem::BLOCKED ? blocked : preempted).push_back(i);
      break;
    }
  }
  return true;
}

bool RecordView::next(std::string_view& bytes) {
  clear();
  if (bytes.size() < sizeof head) return false;
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.size < sizeof head || head.size > bytes.size()) return false;
  std::string_view items = bytes.substr(sizeof head, head.size - sizeof head);
  bytes.remove_prefix(head.size);
  while (!items.empty())
    if (!take_item(items)) return false;
  return true;
}

size_t RecordView::read_some(uint64_t addr, void* dst, size_t n) {
  size_t done = 0;
  while (done < n) {
    // Ranges may overlap: the one that reaches furthest.
    std::string_view best;
    for (const Range& r : ranges_) {
      const uint64_t offset = addr + done - r.addr;
      if (addr + done >= r.addr && offset < r.bytes.size() && r.bytes.size() - offset > best.size())
        best = r.bytes.substr(offset);
    }
    if (best.empty()) break;
    const size_t part = std::min(best.size(), n - done);
    std::memcpy(static_cast<char*>(dst) + done, best.data(), part);
    done += part;
  }
  return done;
}

std::string RecordView::fd_text(int fd) {
  for (const auto& [number, text] : fds_)
    if (number == fd) return std::string(text);
  return {};
}

}  // namespace starry
