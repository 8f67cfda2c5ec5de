// Pipes and FIFOs (pipe(7), fifo(7)), with the buffer accounting of Linux's fs/pipe.c: a ring of page
// slots, where a write fills up the last page if it fits and else starts a new one. A full ring, not a
// full count of bytes, is what blocks writers.
#pragma once

#include <fcntl.h>
#include <limits.h>

#include <memory>
#include <vector>

#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/sync/wait_queue.h"

namespace starry {

// The buffer and its two sides (struct pipe_inode_info). The pages lie one behind the other, so that
// a long transfer is one copy.
class Pipe final : public RefCounted {
 public:
  static constexpr size_t PAGE = 4096;
  static constexpr size_t DEFAULT_SLOTS = 16;
  static constexpr size_t MAX_SIZE = 1 << 20;  // /proc/sys/fs/pipe-max-size

  Pipe() = default;

  // read(2): at least one byte, 0 when there is no writer. EAGAIN, ERESTARTSYS.
  Result<size_t> read(IoVec& to, bool nonblock);
  // write(2): all of it unless `nonblock` or interrupted; up to PIPE_BUF bytes are never split. In
  // `packets` mode each write is a packet (pipe2(2), O_DIRECT). EPIPE (with SIGPIPE), EAGAIN.
  Result<size_t> write(IoVec& from, bool nonblock, bool packets);

  size_t bytes() const;  // FIONREAD
  bool empty() const { return head_ == tail_; }
  bool full() const { return head_ - tail_ >= slot_count_; }
  size_t capacity() const { return slot_count_ * PAGE; }
  // F_SETPIPE_SZ after rounding. EBUSY if what is in the pipe would not fit.
  Result<void> resize(size_t slots);

  // The two sides. The last close of a side wakes the other one; the last of all drops the data.
  void add_side(bool reader, bool writer);
  void drop_side(bool reader, bool writer);
  uint32_t readers = 0, writers = 0;
  uint32_t reader_opens = 0, writer_opens = 0;  // ever: FIFO partners wait for a change

  // For splice(2) and friends.
  Result<void> wait_data(bool nonblock);  // ok also at end of file; EAGAIN, ERESTARTSYS
  Result<void> wait_room(bool nonblock);  // EPIPE (with SIGPIPE), EAGAIN, ERESTARTSYS
  size_t room() const { return (slot_count_ - (head_ - tail_)) * PAGE; }  // that a write surely finds
  size_t peek(void* dst, size_t n) const;  // copies up to n of the oldest bytes, which stay
  void skip(size_t n);                     // drops up to n of the oldest bytes

  WaitQueue poll_queue;  // pollers of both sides; wake-ups carry the events
  WaitQueue open_queue;  // FIFO opens that wait for a partner

 private:
  struct Slot {
    uint16_t offset = 0, len = 0;
    bool mergeable = false, packet = false;
  };
  Slot& slot(uint32_t n) { return slots_[n & (slot_count_ - 1)]; }
  const Slot& slot(uint32_t n) const { return slots_[n & (slot_count_ - 1)]; }
  uint8_t* page(uint32_t n) { return data_.get() + (n & (slot_count_ - 1)) * PAGE; }
  void allocate();
  void pop();
  void take(size_t n);
  Result<size_t> append_to_last(IoVec& from, bool packets);
  Result<size_t> fill_slots(IoVec& from, bool packets);
  Result<size_t> copy_run(IoVec& to);
  void wake_readers();
  void wake_writers();

  uint32_t slot_count_ = DEFAULT_SLOTS;  // a power of two
  uint32_t head_ = 0, tail_ = 0;         // free-running; slots [tail, head) hold data
  std::vector<Slot> slots_;              // both allocated by the first write
  std::unique_ptr<uint8_t[]> data_;
  WaitQueue rd_wait_, wr_wait_;
};

// One end of a pipe, or an open FIFO. Derived classes are the inode's face: stat(), describe().
class PipeFile : public File {
 public:
  PipeFile(Ref<Pipe> pipe, int flags) : File(flags), pipe_(std::move(pipe)) {}
  ~PipeFile() override;

  // open(2) of a FIFO: attaches and waits for the other side. ENXIO, ERESTARTSYS.
  Result<void> open_fifo();
  Result<size_t> read(IoVec& to, int64_t* pos, int flags) override;
  Result<size_t> write(IoVec& from, int64_t* pos, int flags) override;
  uint32_t poll() override;
  WaitQueue* poll_queue() override { return &pipe_->poll_queue; }
  SysResult ioctl(Task& t, unsigned long cmd, uint64_t arg) override;

  Pipe& pipe() { return *pipe_; }

 protected:
  // Counts this file as an end of the pipe; ~PipeFile undoes it.
  void attach();

 private:
  Ref<Pipe> pipe_;
  bool attached_ = false;
  // A FIFO opened without a writer shows no hang-up before one came: writer_opens at that time.
  bool await_writer_ = false;
  uint32_t seen_writers_ = 0;
};

struct PipeEnds {
  Ref<File> reader, writer;
};
// pipe2(2) without the descriptors. `flags`: O_NONBLOCK, O_DIRECT. uid and gid are fstat's.
PipeEnds make_pipe(int flags, uint32_t uid, uint32_t gid);

// F_SETPIPE_SZ / F_GETPIPE_SZ. EBADF if `f` is not a pipe, EINVAL, EPERM, EBUSY. Both return the size.
Result<int64_t> set_pipe_size(File& f, uint64_t bytes, bool privileged);
Result<int64_t> get_pipe_size(File& f);

}  // namespace starry
