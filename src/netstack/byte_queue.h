// The bytes in flight in one direction of a stream: a list of fixed-size chunks, allocated when needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "emulated_kernel/fd/file.h"

namespace starry {

class ByteQueue {
 public:
  ByteQueue() = default;
  ~ByteQueue() { clear(); }
  ByteQueue(const ByteQueue&) = delete;
  ByteQueue& operator=(const ByteQueue&) = delete;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Moves up to n bytes from `from` to the end. Bytes moved; EFAULT if not even the first.
  Result<size_t> append(IoVec& from, size_t n);
  // Copies up to n bytes that lie `offset` bytes behind the front, without removing them.
  Result<size_t> copy_to(IoVec& to, size_t n, size_t offset = 0) const;
  void consume(size_t n);
  void clear();

 private:
  static constexpr size_t CHUNK = 64 * 1024;
  struct Chunk {
    std::unique_ptr<uint8_t[]> data;
    size_t begin = 0, end = 0;
  };
  static std::unique_ptr<uint8_t[]> take_chunk();
  static void give_chunk(std::unique_ptr<uint8_t[]> c);

  std::deque<Chunk> chunks_;
  size_t size_ = 0;
};

}  // namespace starry
