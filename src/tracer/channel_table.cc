#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

#include "tracer/guest_process.h"

namespace starry {

using namespace chan;

ChannelTable& ChannelTable::instance() {
  static constinit ChannelTable table;
  return table;
}

bool ChannelTable::init() {
  calm.look_at_machine(platform().monotonic_ns());
  info_fd_ = memfd_create("starry-info", MFD_CLOEXEC);
  if (info_fd_ < 0 || ftruncate(info_fd_, INFO_SIZE + DOORBELL_SIZE) != 0) return false;
  void* p = mmap(nullptr, INFO_SIZE + DOORBELL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, info_fd_, 0);
  if (p == MAP_FAILED) return false;
  info_ = static_cast<InfoPage*>(p);
  doorbell_ = reinterpret_cast<Doorbell*>(static_cast<char*>(p) + INFO_SIZE);
  return true;
}

void ChannelTable::attach(GuestThread* t, uint32_t& id) {
  for (uint32_t i = 0; i < MAX_CHANNELS; ++i) {
    id = next_id_.fetch_add(1, std::memory_order_relaxed) % MAX_CHANNELS;
    GuestThread* none = nullptr;
    if (slots_[id].compare_exchange_strong(none, t)) return;
  }
  id = MAX_CHANNELS;
}

void ChannelTable::detach(uint32_t id) { slots_[id].store(nullptr, std::memory_order_release); }

void ChannelTable::reserve(uint32_t id) { slots_[id].store(RESERVED, std::memory_order_release); }

void ChannelTable::attach_again(GuestThread* t, uint32_t id) {
  slots_[id].store(t, std::memory_order_release);
}

void ChannelTable::unpoll(GuestThread* t) {
  auto it = std::find(polled_.begin(), polled_.end(), t);
  if (it == polled_.end()) return;
  *it = polled_.back();
  polled_.pop_back();
}

GuestThread* ChannelTable::next_rung() {
  for (size_t i = 0, n = polled_.size(); i < n; ++i) {
    if (next_polled_ >= n) next_polled_ = 0;
    GuestThread* t = polled_[next_polled_++];
    if (t->rang()) return t;
  }
  return nullptr;
}

void ChannelTable::calm_down(uint32_t calls) {
  calm.begin(calls, platform().monotonic_ns());
  if (calm.now()) __atomic_store_n(&info_->spin, 0, __ATOMIC_RELAXED);
}

int64_t ChannelTable::next_nap() {
  DoorbellBits &from = doorbell_->naps, &pending = pending_naps_;
  for (uint32_t s = 0; s < DOORBELL_WORDS / 64; ++s) {
    if (__atomic_load_n(&from.summary[s], __ATOMIC_ACQUIRE) != 0)
      pending.summary[s] |= __atomic_exchange_n(&from.summary[s], 0, __ATOMIC_SEQ_CST);
    while (pending.summary[s] != 0) {
      uint32_t w = s * 64 + static_cast<uint32_t>(std::countr_zero(pending.summary[s]));
      pending.bits[w] |= __atomic_exchange_n(&from.bits[w], 0, __ATOMIC_SEQ_CST);
      if (pending.bits[w] == 0) {
        pending.summary[s] &= pending.summary[s] - 1;
        continue;
      }
      uint32_t bit = static_cast<uint32_t>(std::countr_zero(pending.bits[w]));
      pending.bits[w] &= pending.bits[w] - 1;
      return w * 64 + bit;
    }
  }
  return -1;
}

bool ChannelTable::anything() const {
  for (const GuestThread* t : polled_)
    if (t->rang()) return true;
  return std::any_of(std::begin(doorbell_->naps.summary), std::end(doorbell_->naps.summary),
                     [](const uint64_t& s) { return __atomic_load_n(&s, __ATOMIC_SEQ_CST) != 0; });
}

void ChannelTable::allow_naps(bool allow) {
  const uint32_t value = allow ? 1 : 0;
  if (info_->may_nap != value) __atomic_store_n(&info_->may_nap, value, __ATOMIC_SEQ_CST);
}

void ChannelTable::sleep(uint64_t deadline_ns, const std::function<bool()>& something) {
  __atomic_store_n(&doorbell_->sleeping, 1, __ATOMIC_SEQ_CST);
  if (something()) {
    __atomic_store_n(&doorbell_->sleeping, 0, __ATOMIC_SEQ_CST);
    return;
  }
  timespec ts{static_cast<time_t>(deadline_ns / 1000000000), static_cast<long>(deadline_ns % 1000000000)};
  // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC deadline.
  syscall(SYS_futex, &doorbell_->sleeping, FUTEX_WAIT_BITSET, 1, deadline_ns == UINT64_MAX ? nullptr : &ts,
          nullptr, FUTEX_BITSET_MATCH_ANY);
  __atomic_store_n(&doorbell_->sleeping, 0, __ATOMIC_SEQ_CST);
}

void ChannelTable::wake() {
  if (__atomic_exchange_n(&doorbell_->sleeping, 0, __ATOMIC_SEQ_CST) != 0)
    syscall(SYS_futex, &doorbell_->sleeping, FUTEX_WAKE, 1);
}

}  // namespace starry
