// The iterator over user or kernel buffers.
#include <algorithm>

#include "emulated_kernel/fd/file.h"

namespace starry {

IoVec::IoVec(UserMemory* m, std::span<const Segment> segs) : mem_(m), segs_(segs) {
  for (const Segment& s : segs_) remaining_ += s.len;
}

IoVec::IoVec(UserMemory* m, Segment one) : mem_(m), one_(one), remaining_(one.len) {}

IoVec::Segment IoVec::front() const {
  if (remaining_ == 0) return {0, 0};
  size_t offset = offset_;
  if (segs_.empty()) return {one_.base + offset, std::min(one_.len - offset, remaining_)};
  size_t i = index_;
  while (segs_[i].len == offset) {  // skip what is used up or empty
    ++i;
    offset = 0;
  }
  return {segs_[i].base + offset, std::min(segs_[i].len - offset, remaining_)};
}

void IoVec::advance(size_t n) {
  n = std::min(n, remaining_);
  remaining_ -= n;
  offset_ += n;
  while (!segs_.empty() && index_ < segs_.size() && offset_ >= segs_[index_].len) {
    offset_ -= segs_[index_].len;
    ++index_;
  }
}

void IoVec::truncate(size_t n) { remaining_ = std::min(remaining_, n); }

Result<size_t> IoVec::copy_out(const void* src, size_t n) {
  const auto* p = static_cast<const uint8_t*>(src);
  size_t done = 0;
  n = std::min(n, remaining_);
  while (done < n) {
    Segment s = front();
    size_t want = std::min(s.len, n - done), got = want;
    if (mem_ == nullptr) {
      std::memcpy(reinterpret_cast<void*>(s.base), p + done, want);
    } else {
      Result<size_t> r = mem_->write_some(s.base, p + done, want);
      if (!r.ok()) {
        if (done == 0) return r.error();
        break;
      }
      got = *r;
    }
    advance(got);
    done += got;
    if (got < want) break;
  }
  return done;
}

std::span<uint8_t> IoVec::room(size_t n) const {
  const Segment s = front();
  n = std::min(n, s.len);
  if (mem_ == nullptr) return {reinterpret_cast<uint8_t*>(s.base), n};
  return mem_->room(s.base, n);
}

std::span<const uint8_t> IoVec::view(size_t n) const {
  const Segment s = front();
  n = std::min(n, s.len);
  if (mem_ == nullptr) return {reinterpret_cast<const uint8_t*>(s.base), n};
  return mem_->view(s.base, n);
}

void IoVec::filled(size_t n) {
  if (mem_ != nullptr) mem_->filled(front().base, n);
  advance(n);
}

Result<size_t> IoVec::copy_in(void* dst, size_t n) {
  size_t got = TRY(peek_in(dst, n));
  advance(got);
  return got;
}

Result<size_t> IoVec::peek_in(void* dst, size_t n) const {
  IoVec it = *this;
  auto* p = static_cast<uint8_t*>(dst);
  size_t done = 0;
  n = std::min(n, remaining_);
  while (done < n) {
    Segment s = it.front();
    size_t want = std::min(s.len, n - done), got = want;
    if (mem_ == nullptr) {
      std::memcpy(p + done, reinterpret_cast<const void*>(s.base), want);
    } else {
      Result<size_t> r = mem_->read_some(s.base, p + done, want);
      if (!r.ok()) {
        if (done == 0) return r.error();
        break;
      }
      got = *r;
    }
    it.advance(got);
    done += got;
    if (got < want) break;
  }
  return done;
}

}  // namespace starry
