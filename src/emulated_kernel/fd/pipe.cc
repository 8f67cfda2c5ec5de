#include "emulated_kernel/fd/pipe.h"

#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstring>

#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/sync/wait.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr uint32_t CAN_READ = EPOLLIN | EPOLLRDNORM;
constexpr uint32_t CAN_WRITE = EPOLLOUT | EPOLLWRNORM;

// Nobody will ever read: SIGPIPE for the caller, who sees EPIPE if he survives it.
Error broken_pipe() {
  (void)send_signal(current(), siginfo_user(SIGPIPE, current()));
  return Error{EPIPE};
}

}  // namespace

void Pipe::allocate() {
  if (data_) return;
  data_.reset(new uint8_t[slot_count_ * PAGE]);  // not zeroed: untouched pages cost nothing
  slots_.resize(slot_count_);
}

size_t Pipe::bytes() const {
  size_t sum = 0;
  for (uint32_t n = tail_; n != head_; ++n) sum += slot(n).len;
  return sum;
}

void Pipe::pop() {
  ++tail_;
  // An empty ring starts over, so that ping-pong traffic stays in one warm page.
  if (empty()) head_ = tail_ = 0;
}

Result<void> Pipe::resize(size_t slots) {
  const uint32_t used = head_ - tail_;
  if (used > slots) return Error{EBUSY};
  if (data_) {
    std::unique_ptr<uint8_t[]> data(new uint8_t[slots * PAGE]);
    std::vector<Slot> new_slots(slots);
    for (uint32_t i = 0; i < used; ++i) {
      new_slots[i] = slot(tail_ + i);
      std::memcpy(&data[i * PAGE], page(tail_ + i), PAGE);
    }
    data_ = std::move(data);
    slots_ = std::move(new_slots);
  }
  const bool was_full = full();
  slot_count_ = static_cast<uint32_t>(slots);
  tail_ = 0;
  head_ = used;
  if (was_full && !full()) wake_writers();
  return {};
}

void Pipe::wake_readers() {
  rd_wait_.wake(CAN_READ);
  poll_queue.wake(CAN_READ);
}

void Pipe::wake_writers() {
  wr_wait_.wake(CAN_WRITE);
  poll_queue.wake(CAN_WRITE);
}

void Pipe::add_side(bool reader, bool writer) {
  readers += reader;
  reader_opens += reader;
  writers += writer;
  writer_opens += writer;
  open_queue.wake_all();
}

void Pipe::drop_side(bool reader, bool writer) {
  readers -= reader;
  writers -= writer;
  if (readers == 0 && writers == 0) {
    data_.reset();
    slots_.clear();
    head_ = tail_ = 0;
    slot_count_ = DEFAULT_SLOTS;
  }
  if ((readers == 0) != (writers == 0)) {
    rd_wait_.wake_all();
    wr_wait_.wake_all();
    poll_queue.wake_all();
  }
}

Result<void> Pipe::wait_data(bool nonblock) {
  const auto ready = [this] { return !empty() || writers == 0; };
  if (ready()) return {};
  if (nonblock) return Error{EAGAIN};
  return wait_event(rd_wait_, Deadline::never(), ready, true);
}

Result<void> Pipe::wait_room(bool nonblock) {
  const auto ready = [this] { return !full() || readers == 0; };
  if (!ready()) {
    if (nonblock) return Error{EAGAIN};
    TRY(wait_event(wr_wait_, Deadline::never(), ready, true));
  }
  if (readers == 0) return broken_pipe();
  return {};
}

// One copy out of as many slots as lie one behind the other in memory. A packet is a run of its own.
Result<size_t> Pipe::copy_run(IoVec& to) {
  const Slot& first = slot(tail_);
  size_t run = first.len;
  for (uint32_t n = tail_; !slot(n).packet && run < to.remaining(); ++n) {
    if (n + 1 == head_ || ((n + 1) & (slot_count_ - 1)) == 0) break;
    const Slot& next = slot(n + 1);
    if (slot(n).offset + slot(n).len != PAGE || next.offset != 0 || next.packet) break;
    run += next.len;
  }
  const size_t want = std::min(run, to.remaining());
  return to.copy_out(page(tail_) + first.offset, want);
}

Result<size_t> Pipe::read(IoVec& to, bool nonblock) {
  if (to.empty()) return 0;
  size_t done = 0;
  bool was_full = false;
  Result<void> end;
  while (!to.empty()) {
    if (empty()) {
      if (done != 0 || writers == 0) break;
      end = wait_data(nonblock);
      if (!end.ok()) break;
      continue;
    }
    was_full = was_full || full();
    const bool packet = slot(tail_).packet;
    const Result<size_t> got = copy_run(to);
    if (!got.ok()) {
      end = got.error();
      break;
    }
    done += got.value();
    size_t left = got.value();
    while (left != 0) {
      const size_t n = std::min<size_t>(left, slot(tail_).len);
      take(n);
      left -= n;
    }
    if (packet) {
      // What did not fit is discarded, and one read returns one packet.
      if (!empty() && slot(tail_).offset != 0) pop();
      break;
    }
  }
  if (was_full && !full()) wake_writers();
  if (!empty()) rd_wait_.wake(CAN_READ);  // we may have taken the wake-up that was meant for two
  if (done == 0 && !end.ok()) return end.error();
  return done;
}

// Fills up the last page with the part of the data that is not whole pages, if it fits there.
Result<size_t> Pipe::append_to_last(IoVec& from, bool packets) {
  const size_t part = from.remaining() % PAGE;
  if (part == 0 || empty() || packets) return 0;
  Slot& last = slot(head_ - 1);
  if (!last.mergeable || last.offset + last.len + part > PAGE) return 0;
  const size_t got = TRY(from.copy_in(page(head_ - 1) + last.offset + last.len, part));
  if (got < part) return Error{EFAULT};
  last.len = static_cast<uint16_t>(last.len + part);
  return part;
}

// One copy into as many free slots as lie one behind the other. Stops at a page that faults.
Result<size_t> Pipe::fill_slots(IoVec& from, bool packets) {
  allocate();
  const uint32_t index = head_ & (slot_count_ - 1);
  const size_t run = std::min(slot_count_ - (head_ - tail_), slot_count_ - index);
  const size_t want = std::min(from.remaining(), run * PAGE);
  size_t got = TRY(from.copy_in(page(head_), want));
  if (got < want) got -= got % PAGE;
  for (size_t left = got; left != 0;) {
    const size_t n = std::min(left, PAGE);
    slot(head_++) = {0, static_cast<uint16_t>(n), !packets, packets};
    left -= n;
  }
  if (got < want && got == 0) return Error{EFAULT};
  return got;
}

Result<size_t> Pipe::write(IoVec& from, bool nonblock, bool packets) {
  if (from.empty()) return 0;
  if (readers == 0) return broken_pipe();
  bool was_empty = empty();
  Result<void> end;
  size_t done = TRY(append_to_last(from, packets));
  while (!from.empty()) {
    if (full()) {
      if (was_empty && !nonblock) wake_readers();
      end = wait_room(nonblock);
      if (!end.ok()) break;
      was_empty = empty();
      continue;
    }
    const size_t before = from.remaining();
    const Result<size_t> got = fill_slots(from, packets);
    if (!got.ok()) {
      end = got.error();
      break;
    }
    done += got.value();
    if (before - from.remaining() > got.value()) break;  // a fault in the middle
    if (readers == 0) {
      end = broken_pipe();
      break;
    }
  }
  if (was_empty) rd_wait_.wake(CAN_READ);
  if (done != 0) poll_queue.wake(CAN_READ);
  if (!full()) wr_wait_.wake(CAN_WRITE);  // the next of several blocked writers
  if (done == 0 && !end.ok()) return end.error();
  return done;
}

void Pipe::take(size_t n) {
  Slot& s = slot(tail_);
  s.offset = static_cast<uint16_t>(s.offset + n);
  s.len = static_cast<uint16_t>(s.len - n);
  if (s.len == 0) pop();
}

size_t Pipe::peek(void* dst, size_t n) const {
  size_t done = 0;
  for (uint32_t i = tail_; i != head_ && done < n; ++i) {
    const size_t part = std::min<size_t>(n - done, slot(i).len);
    std::memcpy(static_cast<uint8_t*>(dst) + done,
                data_.get() + (i & (slot_count_ - 1)) * PAGE + slot(i).offset, part);
    done += part;
  }
  return done;
}

void Pipe::skip(size_t n) {
  const bool was_full = full();
  while (n != 0 && !empty()) {
    const size_t part = std::min<size_t>(n, slot(tail_).len);
    take(part);
    n -= part;
  }
  if (was_full && !full()) wake_writers();
}

}  // namespace starry
