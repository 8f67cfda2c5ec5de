// Guest memory that travels with a call: what the stub has brought along, and what it is to write when the
// guest goes on.
#include <algorithm>
#include <cstring>

#include "tracer/guest_process.h"

namespace starry {

using namespace chan;

std::optional<uint32_t> GuestThread::futex_word(uint64_t addr) {
  const uint32_t own_wakes = __atomic_load_n(&process_->channel(0)->own_wakes, __ATOMIC_SEQ_CST);
  const bool still_counts =
      futex_wakes_ == ChannelTable::instance().info().futex_wakes && futex_own_wakes_ == own_wakes;
  return addr == event_regs_.rdi && still_counts ? futex_word_ : std::nullopt;
}

void GuestThread::write_outputs() {
  for (uint32_t i = 0; i < out_count_; ++i)
    (void)process_->poke(out_[i].addr, ch_->data + out_[i].off, out_[i].len);
  out_count_ = 0;
}

bool GuestThread::window_read(uint64_t addr, void* dst, size_t n) {
  // Written earlier in this call and still on its way: what was written last counts.
  for (uint32_t i = out_count_; i-- > 0;) {
    const Window& w = out_[i];
    if (addr >= w.addr + w.len || w.addr >= addr + n) continue;
    if (addr < w.addr || addr + n > w.addr + w.len) {
      write_outputs();
      return false;
    }
    std::memcpy(dst, ch_->data + w.off + (addr - w.addr), n);
    return true;
  }
  for (uint32_t i = 0; i < in_count_; ++i) {
    const Window& w = in_[i];
    if (addr >= w.addr && addr + n <= w.addr + w.len && addr + n >= addr) {
      std::memcpy(dst, ch_->data + w.off + (addr - w.addr), n);
      return true;
    }
  }
  return false;
}

size_t GuestThread::window_prefix(uint64_t addr, void* dst, size_t n) {
  for (uint32_t i = 0; i < in_count_; ++i) {
    const Window& w = in_[i];
    if (addr >= w.addr && addr < w.addr + w.len) {
      size_t have = std::min<size_t>(n, w.addr + w.len - addr);
      std::memcpy(dst, ch_->data + w.off + (addr - w.addr), have);
      return have;
    }
  }
  return 0;
}

// Later reads of a call must see what it has written: forgets inputs that this touches.
void GuestThread::forget_inputs(uint64_t addr, size_t n) {
  for (uint32_t i = 0; i < in_count_; ++i)
    if (addr < in_[i].addr + in_[i].len && in_[i].addr < addr + n) in_[i].len = 0;
}

uint8_t* GuestThread::window_room(size_t n) {
  if (state_ != State::in_kernel || n > DATA_SIZE - data_used_ || out_count_ == MAX_OUT) return nullptr;
  return ch_->data + data_used_;
}

void GuestThread::window_filled(uint64_t addr, size_t n) {
  if (n == 0) return;
  forget_inputs(addr, n);
  out_[out_count_++] = {addr, static_cast<uint32_t>(n), data_used_};
  data_used_ += static_cast<uint32_t>(n);
}

const uint8_t* GuestThread::window_view(uint64_t addr, size_t n) {
  if (out_count_ != 0) return nullptr;
  for (uint32_t i = 0; i < in_count_; ++i) {
    const Window& w = in_[i];
    if (addr >= w.addr && addr + n <= w.addr + w.len && addr + n >= addr)
      return ch_->data + w.off + (addr - w.addr);
  }
  return nullptr;
}

bool GuestThread::window_write(uint64_t addr, const void* src, size_t n) {
  if (state_ != State::in_kernel) return false;
  forget_inputs(addr, n);
  const bool room = n <= DATA_SIZE - data_used_;
  if (room && out_count_ != 0) {
    Window& last = out_[out_count_ - 1];
    if (last.addr + last.len == addr && last.off + last.len == data_used_) {
      std::memcpy(ch_->data + data_used_, src, n);
      last.len += static_cast<uint32_t>(n);
      data_used_ += static_cast<uint32_t>(n);
      return true;
    }
  }
  if (!room || out_count_ == MAX_OUT) {
    write_outputs();  // what is still on its way must not arrive after this
    return false;
  }
  std::memcpy(ch_->data + data_used_, src, n);
  out_[out_count_++] = {addr, static_cast<uint32_t>(n), data_used_};
  data_used_ += static_cast<uint32_t>(n);
  return true;
}

}  // namespace starry
