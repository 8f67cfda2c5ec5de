// The stub's end of the channel: ringing, waiting, and what comes with an answer.
#include <linux/futex.h>
#include <linux/socket.h>
#include <linux/uio.h>

#include "tracer/stub/stub.h"

namespace starry::stub {

using namespace chan;

void set_bit(DoorbellBits& to, uint32_t id) {
  id %= MAX_CHANNELS;
  __atomic_fetch_or(&to.bits[id / 64], 1ULL << (id % 64), __ATOMIC_SEQ_CST);
  __atomic_fetch_or(&to.summary[id / 4096], 1ULL << (id / 64 % 64), __ATOMIC_SEQ_CST);
}

// The host would wake the kernel thread on an idle CPU if there is one: an interrupt and a CPU that leaves
// its sleep, 20 to 100 us. Here it takes 8 to 10, and who rings has nothing to do meanwhile. The kernel
// thread undoes it, or it could not get away from a guest that computes.
static void pull_kernel(const Channel* ch) {
  constexpr uint32_t WORDS = 16;
  const uint32_t cpu = ch->host_cpu - 1;
  if (info().kernel_tid == 0 || cpu >= WORDS * 64) return;
  uint64_t mask[WORDS] = {};
  mask[cpu / 64] = 1ULL << (cpu % 64);
  sys(__NR_sched_setaffinity, static_cast<uint64_t>(info().kernel_tid), (cpu / 64 + 1) * 8, u(mask));
  __atomic_store_n(&doorbell().pulled, 1, __ATOMIC_SEQ_CST);
}

// The kernel looks at the channel by itself while the carrier runs the guest or an action.
void ring(Channel* ch) {
  Doorbell& db = doorbell();
  __atomic_fetch_add(&ch->ring_seq, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&db.sleeping, __ATOMIC_SEQ_CST) != 0 &&
      __atomic_exchange_n(&db.sleeping, 0, __ATOMIC_SEQ_CST) != 0) {
    // A sleeper takes longer to answer than spinning is worth, and may need this very CPU.
    __atomic_store_n(&ch->no_spin, 1, __ATOMIC_RELAXED);
    pull_kernel(ch);
    sys(__NR_futex, u(&db.sleeping), FUTEX_WAKE, 1);
  }
}

uint32_t* wake_word(const Channel* ch) { return &doorbell().wake[ch->id % MAX_CHANNELS]; }

// A wake-up that comes from another CPU costs an interrupt there, one that comes from here does not.
static void wake_other(Channel* ch) {
  if (__atomic_load_n(&ch->wake_other, __ATOMIC_SEQ_CST) == 0) return;
  if (uint32_t other = __atomic_exchange_n(&ch->wake_other, 0, __ATOMIC_SEQ_CST); other != 0)
    sys(__NR_futex, u(&doorbell().wake[(other - 1) % MAX_CHANNELS]), FUTEX_WAKE, 1);
}

// Two carriers that take turns on one CPU: to yield to each other costs half of what sleeping and waking
// does. True: the reply is there. Who computes for long, or another program on this CPU, makes it useless.
static bool yield_for_reply(Channel* ch, uint32_t seen) {
  constexpr uint64_t MAX_CYCLES = 200'000;                  // 50 to 100 us
  constexpr uint32_t MIN_PENALTY = 64, MAX_PENALTY = 1024;  // waits
  Area* area = this_area();
  if (info().spin == 0 || __atomic_load_n(&ch->cpu_taken, __ATOMIC_ACQUIRE) == 0) return false;
  if (area->yield_pause != 0) {
    --area->yield_pause;
    return false;
  }
  __atomic_store_n(&ch->parked, PARKED_YIELDS, __ATOMIC_SEQ_CST);
  wake_other(ch);
  const uint64_t start = __builtin_ia32_rdtsc();
  bool answered = false, in_time = true;
  for (;;) {
    answered = __atomic_load_n(&ch->reply_seq, __ATOMIC_SEQ_CST) != seen;
    in_time = __builtin_ia32_rdtsc() - start < MAX_CYCLES;
    if (answered || !in_time) break;
    sys(__NR_sched_yield);
  }
  // An answer that comes late is no success: another program got the CPU for its whole slice.
  uint32_t& penalty = area->yield_penalty;
  if (in_time)
    penalty = 0;
  else
    penalty = penalty == 0 ? MIN_PENALTY : penalty < MAX_PENALTY ? 4 * penalty : MAX_PENALTY;
  area->yield_pause = penalty;
  if (answered) __atomic_store_n(&ch->parked, PARKED_NOT, __ATOMIC_RELAXED);
  return answered;
}

void wait_reply(Channel* ch, uint32_t seen) {
  for (uint32_t i = info().spin; i != 0; --i) {
    if (__atomic_load_n(&ch->reply_seq, __ATOMIC_ACQUIRE) != seen) return wake_other(ch);
    if (__atomic_load_n(&ch->no_spin, __ATOMIC_ACQUIRE) != 0) break;
    __builtin_ia32_pause();
  }
  if (yield_for_reply(ch, seen)) return;
  __atomic_store_n(&ch->parked, PARKED_ASLEEP, __ATOMIC_SEQ_CST);
  wake_other(ch);
  for (;;) {
    const uint32_t word = __atomic_load_n(wake_word(ch), __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ch->reply_seq, __ATOMIC_SEQ_CST) != seen) break;
    sys(__NR_futex, u(wake_word(ch)), FUTEX_WAIT, word);
  }
  __atomic_store_n(&ch->parked, PARKED_NOT, __ATOMIC_RELAXED);
}

void report(Channel* ch) {
  uint32_t seen = last_reply(ch);
  ring(ch);
  wait_reply(ch, seen);
}

bool report_call(Channel* ch) {
  uint32_t seen = last_reply(ch);
  switch (nap(ch, seen)) {
    case NapEnd::over:
      return false;
    case NapEnd::refused:
      ring(ch);
      break;
    case NapEnd::taken:
      break;
  }
  wait_reply(ch, seen);
  return true;
}

bool write_outs(Channel* ch) {
  bool good = true;
  uint32_t n = ch->out_count;
  for (uint32_t i = 0; i < n && i < MAX_OUT; ++i)
    good &=
        stub_copy(reinterpret_cast<void*>(ch->out[i].addr), ch->data + ch->out[i].off, ch->out[i].len) == 0;
  return good;
}

long receive_fds(int* fds, int want) {
  struct {
    struct msghdr_user {
      void* name;
      int namelen, pad;
      iovec* iov;
      uint64_t iovlen;
      void* control;
      uint64_t controllen;
      uint32_t flags;
    } m;
  } h = {};
  char byte;
  iovec iov{&byte, 1};
  alignas(8) char control[64];
  h.m.iov = &iov;
  h.m.iovlen = 1;
  h.m.control = control;
  h.m.controllen = sizeof control;
  long r;
  do r = sys(__NR_recvmsg, static_cast<uint64_t>(FD_SOCKET), u(&h.m), 0);
  while (r == -4);  // EINTR
  if (r <= 0) return r == 0 ? -32 : r;
  uint64_t len = *reinterpret_cast<uint64_t*>(control);
  if (h.m.controllen < 16 || len < 16 + 4 * static_cast<uint64_t>(want)) return -9;
  for (int i = 0; i < want; ++i) fds[i] = reinterpret_cast<int*>(control + 16)[i];
  return 0;
}

int64_t run_ops(Channel* ch) {
  const uint64_t began = __builtin_ia32_rdtsc();
  int64_t r = 0;
  int fd = -1;
  const auto close_fd = [&fd] {
    if (fd >= 0) sys(__NR_close, static_cast<uint64_t>(fd));
    fd = -1;
  };
  uint32_t n = ch->nops;
  for (uint32_t i = 0; i < n && i < MAX_OPS; ++i) {
    const Op op = ch->ops[i];
    if (op.fd == OpFd::fresh) {
      close_fd();
      if (long e = receive_fds(&fd, 1); e < 0) return e;
    }
    if (r < 0) continue;  // only the descriptors are taken, so that those of the next batch are the next
    if (op.nr == -1) {
      long old = stub_cmpxchg(reinterpret_cast<uint32_t*>(op.args[0]), static_cast<uint32_t>(op.args[1]),
                              static_cast<uint32_t>(op.args[2]));
      r = old < 0 ? -14 : old;
    } else {
      const uint64_t arg4 = op.fd != OpFd::none ? static_cast<uint64_t>(fd) : op.args[4];
      r = sys(op.nr, op.args[0], op.args[1], op.args[2], op.args[3], arg4, op.args[5]);
    }
  }
  close_fd();
  ch->op_cycles = __builtin_ia32_rdtsc() - began;
  return r;
}

}  // namespace starry::stub
