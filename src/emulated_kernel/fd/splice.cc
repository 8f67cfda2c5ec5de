#include "emulated_kernel/fd/splice.h"

#include <sys/epoll.h>

#include <algorithm>
#include <memory>

#include "emulated_kernel/fd/file_io.h"

namespace starry {

namespace {

// Bytes on their way. They are copied out of the pipe before a file is written, because the fiber may
// sleep there while others use the pipe.
class Buffer {
 public:
  explicit Buffer(size_t wanted) : size_(std::min<size_t>(wanted, 64 << 10)), data_(new uint8_t[size_]) {}
  uint8_t* data() { return data_.get(); }
  size_t size() const { return size_; }

 private:
  size_t size_;
  std::unique_ptr<uint8_t[]> data_;
};

Result<size_t> pipe_to_pipe(Pipe& in, Pipe& out, size_t len, bool nonblock, bool keep) {
  TRY(in.wait_data(nonblock));
  TRY(out.wait_room(nonblock));
  len = std::min({len, in.bytes(), out.room()});
  const std::unique_ptr<uint8_t[]> data(new uint8_t[len]);
  in.peek(data.get(), len);
  IoVec from = IoVec::kernel(data.get(), len);
  const size_t moved = TRY(out.write(from, true, false));
  if (!keep) in.skip(moved);
  return moved;
}

}  // namespace

Result<size_t> splice_pipe_to_pipe(Pipe& in, Pipe& out, size_t len, bool nonblock) {
  return pipe_to_pipe(in, out, len, nonblock, false);
}

Result<size_t> tee_pipe(Pipe& in, Pipe& out, size_t len, bool nonblock) {
  return pipe_to_pipe(in, out, len, nonblock, true);
}

Result<size_t> splice_file_to_pipe(File& in, int64_t* pos, Pipe& out, size_t len, bool nonblock) {
  TRY(out.wait_room(nonblock));
  len = std::min(len, out.room());
  Buffer buffer(len);
  size_t done = 0;
  while (done < len) {
    // A stream may have no more for now: what was moved counts.
    if ((done != 0 || nonblock) && (in.poll() & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
      if (done == 0) return Error{EAGAIN};
      break;
    }
    const size_t want = std::min(len - done, buffer.size());
    IoVec to = IoVec::kernel(buffer.data(), want);
    const Result<size_t> got = in.read(to, pos, 0);
    if (!got.ok() && done == 0) return got.error();
    if (!got.ok() || got.value() == 0) break;
    IoVec from = IoVec::kernel(buffer.data(), got.value());
    const Result<size_t> put = out.write(from, false, false);
    if (!put.ok() && done == 0) return put.error();
    if (!put.ok()) break;
    done += put.value();
    if (got.value() < want) break;
  }
  return done;
}

Result<size_t> splice_pipe_to_file(Task& t, Pipe& in, File& out, int64_t* pos, size_t len, bool nonblock) {
  TRY(in.wait_data(nonblock));
  Buffer buffer(std::min(len, in.bytes()));
  size_t done = 0;
  while (done < len) {
    const size_t n = in.peek(buffer.data(), std::min(len - done, buffer.size()));
    if (n == 0) break;
    IoVec from = IoVec::kernel(buffer.data(), n);
    const Result<size_t> put = file_write(t, out, from, pos, 0);
    if (!put.ok() && done == 0) return put.error();
    if (!put.ok() || put.value() == 0) break;
    in.skip(put.value());
    done += put.value();
  }
  return done;
}

}  // namespace starry
