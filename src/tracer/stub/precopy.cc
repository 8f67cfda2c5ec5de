// Brings along what a system call reads of the guest's memory, so that the kernel need not ask the host for
// it. What faults or finds no room is left out.
#include <linux/futex.h>
#include <linux/uio.h>

#include "tracer/stub/stub.h"

namespace starry::stub {

using namespace chan;

namespace {

constexpr uint32_t ROOM = DATA_SIZE / 2;

// user_msghdr of include/linux/socket.h.
struct Msghdr {
  uint64_t name;
  int32_t namelen, pad;
  uint64_t iov, iovlen, control, controllen;
  uint32_t flags;
};

// n bytes at `addr`. Where they are now, or null.
const void* bring(Channel* ch, uint64_t addr, uint64_t n) {
  const uint32_t used = ch->in_used, count = ch->in_count;
  if (addr == 0 || n == 0 || used > ROOM || n > ROOM - used || count >= MAX_IN) return nullptr;
  if (stub_copy(ch->data + used, reinterpret_cast<const void*>(addr), n) != 0) return nullptr;
  ch->in[count] = {addr, static_cast<uint32_t>(n), used};
  ch->in_count = count + 1;
  ch->in_used = (used + static_cast<uint32_t>(n) + 15) & ~15u;
  return ch->data + used;
}

void bring_string(Channel* ch, uint64_t addr) {
  const uint32_t used = ch->in_used, count = ch->in_count;
  if (used >= ROOM || count >= MAX_IN) return;
  // Up to the end of the page only: what follows may not be mapped, and the string may end before.
  const uint64_t room = ROOM - used, page = 4096 - (addr & 4095);
  const long len = stub_copy_string(reinterpret_cast<char*>(ch->data + used),
                                    reinterpret_cast<const char*>(addr), page < room ? page : room);
  if (len <= 0) return;
  ch->in[count] = {addr, static_cast<uint32_t>(len), used};
  ch->in_count = count + 1;
  ch->in_used = (used + static_cast<uint32_t>(len) + 15) & ~15u;
}

// What the elements of an array of iovec point to.
void bring_segments(Channel* ch, const void* array, uint64_t n) {
  const auto* iov = static_cast<const iovec*>(array);
  for (uint64_t i = 0; i < n && ch->in_count < MAX_IN; ++i) {
    const iovec segment = iov[i];
    bring(ch, u(segment.iov_base), segment.iov_len);
  }
}

void bring_message(Channel* ch, const Msghdr& m) {
  constexpr uint64_t MAX_NAME = 128, MAX_CONTROL = 256, MAX_SEGMENTS = 16;
  if (m.namelen > 0 && static_cast<uint64_t>(m.namelen) <= MAX_NAME)
    bring(ch, m.name, static_cast<uint64_t>(m.namelen));
  if (m.controllen <= MAX_CONTROL) bring(ch, m.control, m.controllen);
  if (m.iovlen > MAX_SEGMENTS) return;
  if (const void* iov = bring(ch, m.iov, m.iovlen * sizeof(iovec))) bring_segments(ch, iov, m.iovlen);
}

// The word that a futex(2) may wait for, and the time limit. A word that is read before the kernel can put
// the thread into its queue is as good as one read then unless a wake-up comes between; the counters tell.
void bring_futex(Channel* ch) {
  const GuestRegs& r = ch->regs;
  const uint32_t command = static_cast<uint32_t>(r.rsi) & FUTEX_CMD_MASK;
  if (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET) return;
  ch->futex_wakes = __atomic_load_n(&info().futex_wakes, __ATOMIC_ACQUIRE);
  ch->futex_own_wakes = __atomic_load_n(&channel_of_slot(0)->own_wakes, __ATOMIC_ACQUIRE);
  ch->futex_known = (r.rdi & 3) == 0 &&
                    stub_copy(&ch->futex_word, reinterpret_cast<void*>(r.rdi), sizeof ch->futex_word) == 0;
  constexpr uint32_t TIMESPEC = 16;
  bring(ch, r.r10, TIMESPEC);
}

// What the arguments that the table describes point to in turn.
void bring_nested(Channel* ch, uint64_t nr, const void* first) {
  const GuestRegs& r = ch->regs;
  switch (nr) {
    case __NR_rt_sigreturn:
      bring(ch, r.rsp, sizeof(SavedContext));
      bring(ch, ch->rseq_at, RSEQ_BYTES);
      break;
    case __NR_kill:
    case __NR_tkill:
    case __NR_tgkill:
    case __NR_rt_sigqueueinfo:
    case __NR_rt_tgsigqueueinfo:
    case __NR_rt_sigsuspend:
    case __NR_pause:
      bring(ch, ch->rseq_at, RSEQ_BYTES);
      break;
    case __NR_writev:
    case __NR_pwritev:
    case __NR_pwritev2:
      if (first != nullptr) bring_segments(ch, first, r.rdx);
      break;
    case __NR_sendmsg:
      if (first != nullptr) bring_message(ch, *static_cast<const Msghdr*>(first));
      break;
    default:
      break;
  }
}

}  // namespace

void precopy_interrupted(Channel* ch) {
  ch->in_count = 0;
  ch->in_used = 0;
  ch->futex_known = 0;
  bring(ch, ch->rseq_at, RSEQ_BYTES);
}

void precopy(Channel* ch, uint64_t nr) {
  ch->in_count = 0;
  ch->in_used = 0;
  ch->futex_known = 0;
  if (nr >= PRECOPY_SYSCALLS) return;
  if (nr == __NR_futex) return bring_futex(ch);
  const GuestRegs& r = ch->regs;
  const uint64_t args[6] = {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9};
  const void* first = nullptr;
  for (const Precopy& p : info().precopy[nr]) {
    if (p.kind == PC_NONE) break;
    const uint64_t addr = args[p.arg];
    if (addr == 0) continue;
    if (p.kind == PC_STRING) {
      bring_string(ch, addr);
      continue;
    }
    const uint64_t count = p.len_arg == 0xff ? 1 : args[p.len_arg];
    if (count > ROOM) continue;
    const void* at = bring(ch, addr, count * p.size);
    if (first == nullptr) first = at;
  }
  bring_nested(ch, nr, first);
}

}  // namespace starry::stub
