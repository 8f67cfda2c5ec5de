#include "netstack/byte_queue.h"

#include <algorithm>
#include <vector>

namespace starry {

namespace {
// Chunks that were used last are used next: they are still in the cache.
constexpr size_t POOL_MAX = 64;
std::vector<std::unique_ptr<uint8_t[]>>& pool() {
  static std::vector<std::unique_ptr<uint8_t[]>> chunks;
  return chunks;
}
}  // namespace

std::unique_ptr<uint8_t[]> ByteQueue::take_chunk() {
  if (pool().empty()) return std::unique_ptr<uint8_t[]>(new uint8_t[CHUNK]);
  auto c = std::move(pool().back());
  pool().pop_back();
  return c;
}

void ByteQueue::give_chunk(std::unique_ptr<uint8_t[]> c) {
  if (pool().size() < POOL_MAX) pool().push_back(std::move(c));
}

Result<size_t> ByteQueue::append(IoVec& from, size_t n) {
  size_t done = 0;
  n = std::min(n, from.remaining());
  while (done < n) {
    if (chunks_.empty() || chunks_.back().end == CHUNK) chunks_.push_back({take_chunk(), 0, 0});
    Chunk& c = chunks_.back();
    const size_t want = std::min(n - done, CHUNK - c.end);
    auto r = from.copy_in(&c.data[c.end], want);
    const size_t got = r.ok() ? r.value() : 0;
    c.end += got;
    size_ += got;
    done += got;
    if (got == want) continue;
    if (c.begin == c.end) {
      give_chunk(std::move(c.data));
      chunks_.pop_back();
    }
    if (done == 0) return Error{EFAULT};
    break;
  }
  return done;
}

Result<size_t> ByteQueue::copy_to(IoVec& to, size_t n, size_t offset) const {
  size_t done = 0;
  n = std::min(n, to.remaining());
  for (const Chunk& c : chunks_) {
    const size_t have = c.end - c.begin;
    if (offset >= have) {
      offset -= have;
      continue;
    }
    if (done == n) break;
    const size_t want = std::min(n - done, have - offset);
    auto r = to.copy_out(&c.data[c.begin + offset], want);
    const size_t put = r.ok() ? r.value() : 0;
    done += put;
    offset = 0;
    if (put < want) {
      if (done == 0) return Error{EFAULT};
      break;
    }
  }
  return done;
}

void ByteQueue::consume(size_t n) {
  size_ -= n;
  while (n > 0) {
    Chunk& c = chunks_.front();
    const size_t take = std::min(n, c.end - c.begin);
    c.begin += take;
    n -= take;
    if (c.begin < c.end) break;
    give_chunk(std::move(c.data));
    chunks_.pop_front();
  }
}

void ByteQueue::clear() {
  for (Chunk& c : chunks_) give_chunk(std::move(c.data));
  chunks_.clear();
  size_ = 0;
}

}  // namespace starry
