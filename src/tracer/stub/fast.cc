// System calls that come from a trampoline. What only changes the result is done here; all else traps, and
// goes on in the host's signal frame as if the `syscall` instruction had trapped.
#include <asm/prctl.h>
#include <linux/futex.h>

#include "tracer/stub/stub.h"

namespace starry::stub {

using namespace chan;

static_assert(offsetof(Channel, continuation) == 456 && offsetof(Channel, regs) == 512 &&
              offsetof(GuestRegs, rax) == 104 && offsetof(GuestRegs, rip) == 128);

namespace {

// Carries out a reply. True: the channel holds the registers that the guest goes on with.
bool resume_here(Channel* ch, uint64_t rip, uint64_t rsp, uint64_t eflags) {
  take_result(ch);
  if (ch->regs.rip != rip || ch->regs.rsp != rsp || ch->regs.eflags != eflags) return false;
  run_first_ops(ch);
  if (!write_outs(ch)) ch->regs.rax = static_cast<uint64_t>(-14);  // EFAULT: unmapped meanwhile
  if (ch->set_fs) sys(__NR_arch_prctl, ARCH_SET_FS, ch->regs.fs_base);
  return true;
}

// Carries out ACT_SIGNAL. False: it is to be done in a host signal frame, and nothing is spoilt for that.
bool enter_handler_here(Channel* ch) {
  take_result(ch);
  if (ch->ops_first != 0 || ch->set_fs != 0 || !can_leave_to(ch->sig.handler, ch->regs.eflags)) return false;
  if (!write_outs(ch) || !build_frame_here(ch)) return false;
  ch->continuation = ch->regs.rip;
  stub_fast_leave(ch, this_area());
}

// FUTEX_WAKE of a private futex that nobody waits for, as most are that unlock a mutex. The kernel counts a
// waiter before it looks at the word, and here the word was written before the look at the count. A word that
// came with the waiter's call is of before both: then own_wakes has changed in between
// (GuestThread::futex_word).
bool wakes_nobody(const GuestRegs& r) {
  constexpr uint32_t WAKE_PRIVATE = FUTEX_WAKE | FUTEX_PRIVATE_FLAG;
  if (static_cast<uint32_t>(r.rsi) != WAKE_PRIVATE || info().futex_answers == 0) return false;
  if (r.rdi % sizeof(uint32_t) != 0 || r.rdi >= GUEST_END) return false;  // errors are the kernel's
  __atomic_fetch_add(&channel_of_slot(0)->own_wakes, 1, __ATOMIC_SEQ_CST);
  return __atomic_load_n(&info().futex_waiters[futex_bucket(r.rdi)], __ATOMIC_SEQ_CST) == 0;
}

}  // namespace

}  // namespace starry::stub

using namespace starry::chan;
using namespace starry::stub;

extern "C" Channel* stub_fast_call(Channel* ch) {
  const uint64_t nr = ch->regs.rax;
  if (nr < PRECOPY_SYSCALLS && info().answer[nr] != 0 &&
      __atomic_load_n(&ch->answers.valid, __ATOMIC_ACQUIRE) != 0) {
    ch->regs.rax = ch->answers.value[info().answer[nr] - 1];
    return ch;
  }
  if (nr == __NR_futex && wakes_nobody(ch->regs)) {
    ch->regs.rax = 0;
    return ch;
  }
  const uint64_t rip = ch->regs.rip, rsp = ch->regs.rsp, eflags = ch->regs.eflags;
  // A kick before the event is answered by the event.
  __atomic_store_n(&this_area()->kicked, 0, __ATOMIC_RELAXED);
  ch->event = EV_SYSCALL_FAST;
  precopy(ch, nr);
  if (!report_call(ch)) {
    ch->regs.rax = 0;
    return ch;
  }
  for (;; report(ch)) {
    switch (ch->action) {
      case ACT_RESUME:
        if (!resume_here(ch, rip, rsp, eflags)) stub_gate_trap();
        return ch;
      case ACT_OPS:
        ch->op_result = run_ops(ch);
        ch->event = EV_DONE;
        break;
      case ACT_SIGNAL:
        if (!enter_handler_here(ch)) stub_gate_trap();
        return ch;
      default:
        stub_gate_trap();
    }
  }
}

extern "C" [[noreturn]] void stub_fast_kicked() {
  Area* area = this_area();
  area->kicked = 0;
  area->kick_gate = 1;
  stub_gate_trap();
}
