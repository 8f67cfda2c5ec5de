// One guest thread waits, another gets its emulated CPU: the first one's carrier, which still runs there,
// wakes the second one's. From the kernel thread's CPU that would take an interrupt, which on a virtual
// machine costs more than everything else together. The guest is not trusted to do it: if the carrier still
// sleeps when the kernel thread has nothing else to do, or some turns later, the kernel thread wakes it after
// all.
#include "tracer/guest_process.h"

namespace starry {

namespace {

constexpr uint32_t ASSIST_TURNS = 32;

}  // namespace

void ChannelTable::leaves(GuestThread* t) {
  stop_spinning();
  leaver_ = t;
  leaver_turns_ = 0;
}

void ChannelTable::stop_spinning() {
  if (leaver_ != nullptr) __atomic_store_n(&leaver_->shared().no_spin, 1, __ATOMIC_RELEASE);
  leaver_ = nullptr;
}

bool ChannelTable::woken_by_leaver(GuestThread& t) {
  if (leaver_ == nullptr || leaver_ == &t || leaver_->bound_cpu() != t.bound_cpu()) return false;
  chan::Channel& from = leaver_->shared();
  check_assisted();
  __atomic_store_n(&from.cpu_taken, 1, __ATOMIC_RELEASE);
  if (t.yields()) {
    stop_spinning();
    return true;
  }
  __atomic_store_n(&from.wake_other, t.id() + 1, __ATOMIC_SEQ_CST);
  stop_spinning();
  // Asleep already: it may have looked for the last time.
  if (__atomic_load_n(&from.parked, __ATOMIC_SEQ_CST) == chan::PARKED_ASLEEP &&
      __atomic_exchange_n(&from.wake_other, 0, __ATOMIC_SEQ_CST) != 0)
    return false;
  assisted_ = &t;
  assisted_turns_ = 0;
  return true;
}

void ChannelTable::turn_begins() {
  // In the turn after the one in which it began to wait the scheduler has chosen another task, or none.
  if (leaver_ != nullptr && ++leaver_turns_ > 1) stop_spinning();
  if (assisted_ != nullptr && ++assisted_turns_ > ASSIST_TURNS) check_assisted();
}

void ChannelTable::check_assisted() {
  if (assisted_ != nullptr &&
      __atomic_load_n(&assisted_->shared().parked, __ATOMIC_SEQ_CST) == chan::PARKED_ASLEEP)
    assisted_->wake_host_thread();
  assisted_ = nullptr;
}

void ChannelTable::before_idle() { stop_spinning(); }

void ChannelTable::forget(GuestThread* t) {
  if (leaver_ == t) leaver_ = nullptr;
  if (assisted_ == t) assisted_ = nullptr;
}

}  // namespace starry
