// Short sleeps that a carrier does on its own.
#include <asm/errno.h>
#include <linux/futex.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include "tracer/stub/stub.h"

namespace starry::stub {

using namespace chan;

namespace {

// The length in ns of a sleep that may be a nap; 0: what the guest asks for is something else.
uint64_t nap_length(const GuestRegs& r) {
  uint64_t request = r.rdi;
  if (r.rax == __NR_clock_nanosleep) {
    uint32_t clock = static_cast<uint32_t>(r.rdi);
    if ((clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) || static_cast<uint32_t>(r.rsi) != 0) return 0;
    request = r.rdx;
  } else if (r.rax != __NR_nanosleep) {
    return 0;
  }
  __kernel_timespec span;
  if (info().may_nap == 0 || stub_copy(&span, reinterpret_cast<void*>(request), sizeof span) != 0) return 0;
  return span.tv_sec == 0 && span.tv_nsec > 0 && span.tv_nsec <= MAX_NAP_NS
             ? static_cast<uint64_t>(span.tv_nsec)
             : 0;
}

}  // namespace

NapEnd nap(Channel* ch, uint32_t seen) {
  const uint64_t length = nap_length(ch->regs);
  if (length == 0) return NapEnd::refused;
  __kernel_timespec t;
  if (sys(__NR_clock_gettime, CLOCK_MONOTONIC, u(&t)) != 0) return NapEnd::refused;
  uint64_t until = static_cast<uint64_t>(t.tv_sec) * 1000000000 + static_cast<uint64_t>(t.tv_nsec) + length;
  t = {static_cast<long>(until / 1000000000), static_cast<long>(until % 1000000000)};
  ch->nap_until = until;
  __atomic_store_n(&ch->parked, PARKED_ASLEEP, __ATOMIC_SEQ_CST);
  __atomic_store_n(&ch->nap, NAP_OFFERED, __ATOMIC_SEQ_CST);
  set_bit(doorbell().naps, ch->id);
  // A kernel that wants something of this thread says so before it looks at the offers for the last time;
  // so it sees this one, or it is seen here.
  bool over = true;
  if (__atomic_load_n(&ch->kicked, __ATOMIC_SEQ_CST) != 0 ||
      __atomic_load_n(&info().may_nap, __ATOMIC_SEQ_CST) == 0) {
    over = false;
  } else {
    long slept;
    do {
      const uint32_t word = __atomic_load_n(wake_word(ch), __ATOMIC_SEQ_CST);
      if (__atomic_load_n(&ch->reply_seq, __ATOMIC_SEQ_CST) != seen) return NapEnd::taken;
      slept = sys(__NR_futex, u(wake_word(ch)), FUTEX_WAIT_BITSET, word, u(&t), 0, FUTEX_BITSET_MATCH_ANY);
    } while (slept != -ETIMEDOUT);
  }
  uint32_t offered = NAP_OFFERED;
  if (!__atomic_compare_exchange_n(&ch->nap, &offered, NAP_NONE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    return NapEnd::taken;
  __atomic_store_n(&ch->parked, PARKED_NOT, __ATOMIC_RELAXED);
  if (!over) return NapEnd::refused;
  ch->napped += length;
  return NapEnd::over;
}

}  // namespace starry::stub
