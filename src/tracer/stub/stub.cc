// The part of StarryRun that lives inside a guest process. Freestanding: no libc, no thread-local
// storage, general registers only. Every carrier of a guest thread waits here, inside a genuine host
// signal frame: resuming the guest is a host sigreturn, which restores all of its state.

#include <asm/errno.h>
#include <asm/prctl.h>
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/socket.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/uio.h>

#include <initializer_list>

#include "tracer/channel.h"
#include "tracer/stub/filter_program.h"

using namespace starry;
using namespace starry::chan;

#pragma GCC visibility push(hidden)
extern "C" {
long stub_syscall(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
[[noreturn]] void stub_sigreturn(void* uc);
void stub_restorer();
long stub_clone(uint64_t flags, void* child_uc, uint32_t* ptid, uint32_t* ctid, uint64_t tls);
long stub_copy(void* dst, const void* src, size_t n);
long stub_copy_string(char* dst, const char* src, size_t max);
long stub_cmpxchg(uint32_t* p, uint32_t expected, uint32_t desired);
[[noreturn]] void stub_call_on(void* stack_top, void (*fn)());
extern char stub_guard_start[], stub_guard_end[], stub_guard_fixup[], stub_gate_start[], stub_gate_end[];
void stub_main(uint64_t* sp);
[[noreturn]] void stub_child(ucontext* uc);

// The compiler may call these.
void* memcpy(void* d, const void* s, size_t n) {
  void* r = d;
  asm volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
  return r;
}
void* memset(void* d, int c, size_t n) {
  void* r = d;
  asm volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
  return r;
}
}

namespace {

// What lies at the start of a carrier's area; its signal stack takes the rest.
struct Area {
  Channel* channel;
  uint32_t slot;
};

struct Globals {
  int socket = FD_SOCKET;
  uint64_t vdso = 0;
  long supervisor = 0;  // its pid
} g;

// struct _fpx_sw_bytes at byte 464 of the FP state (asm/sigcontext.h).
struct FpSw {
  uint32_t magic1, extended_size;
  uint64_t xfeatures;
  uint32_t xstate_size;
};
constexpr uint32_t FP_MAGIC1 = 0x46505853;

long sys(long nr, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0, uint64_t e = 0,
         uint64_t f = 0) {
  return stub_syscall(nr, a, b, c, d, e, f);
}
uint64_t u(const void* p) { return reinterpret_cast<uint64_t>(p); }

Area* area_of_slot(uint32_t slot) { return reinterpret_cast<Area*>(AREAS_ADDR + slot * AREA_SIZE); }
Channel* channel_of_slot(uint32_t slot) {
  return reinterpret_cast<Channel*>(CHANNELS_ADDR + slot * CHANNEL_SIZE);
}
const InfoPage& info() { return *reinterpret_cast<const InfoPage*>(INFO_ADDR); }
Doorbell& doorbell() { return *reinterpret_cast<Doorbell*>(DOORBELL_ADDR); }

// Handlers always run on the signal stack, so the stack pointer names the area.
Area* this_area() { return reinterpret_cast<Area*>(u(__builtin_frame_address(0)) & ~(AREA_SIZE - 1)); }

size_t fp_size(const void* fp) {
  auto* sw = reinterpret_cast<const FpSw*>(static_cast<const char*>(fp) + 464);
  return sw->magic1 == FP_MAGIC1 && sw->extended_size < 32768 ? sw->extended_size : 512;
}

void set_bit(DoorbellBits& to, uint32_t id) {
  id %= MAX_CHANNELS;
  __atomic_fetch_or(&to.bits[id / 64], 1ULL << (id % 64), __ATOMIC_SEQ_CST);
  __atomic_fetch_or(&to.summary[id / 4096], 1ULL << (id / 64 % 64), __ATOMIC_SEQ_CST);
}

void ring(Channel* ch) {
  __atomic_fetch_add(&ch->ring_seq, 1, __ATOMIC_SEQ_CST);
  Doorbell& db = doorbell();
  set_bit(db.rung, ch->id);
  if (__atomic_load_n(&db.sleeping, __ATOMIC_SEQ_CST) != 0 &&
      __atomic_exchange_n(&db.sleeping, 0, __ATOMIC_SEQ_CST) != 0) {
    // A sleeper takes longer to answer than spinning is worth, and may need this very CPU.
    __atomic_store_n(&ch->no_spin, 1, __ATOMIC_RELAXED);
    sys(__NR_futex, u(&db.sleeping), FUTEX_WAKE, 1);
  }
}

void wait_reply(Channel* ch, uint32_t seen) {
  for (uint32_t i = info().spin; i != 0; --i) {
    if (__atomic_load_n(&ch->reply_seq, __ATOMIC_ACQUIRE) != seen) return;
    if (__atomic_load_n(&ch->no_spin, __ATOMIC_RELAXED) != 0) break;
    __builtin_ia32_pause();
  }
  __atomic_store_n(&ch->parked, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&ch->reply_seq, __ATOMIC_SEQ_CST) == seen)
    sys(__NR_futex, u(&ch->reply_seq), FUTEX_WAIT, seen);
  __atomic_store_n(&ch->parked, 0, __ATOMIC_RELAXED);
}

void save_regs(Channel* ch, const ucontext* uc) {
  const auto& m = uc->uc_mcontext;
  GuestRegs& r = ch->regs;
  r.r8 = m.r8, r.r9 = m.r9, r.r10 = m.r10, r.r11 = m.r11, r.r12 = m.r12, r.r13 = m.r13;
  r.r14 = m.r14, r.r15 = m.r15, r.rdi = m.rdi, r.rsi = m.rsi, r.rbp = m.rbp, r.rbx = m.rbx;
  r.rdx = m.rdx, r.rax = m.rax, r.rcx = m.rcx, r.rsp = m.rsp, r.rip = m.rip, r.eflags = m.eflags;
}

void load_regs(ucontext* uc, const Channel* ch) {
  auto& m = uc->uc_mcontext;
  const GuestRegs& r = ch->regs;
  m.r8 = r.r8, m.r9 = r.r9, m.r10 = r.r10, m.r11 = r.r11, m.r12 = r.r12, m.r13 = r.r13;
  m.r14 = r.r14, m.r15 = r.r15, m.rdi = r.rdi, m.rsi = r.rsi, m.rbp = r.rbp, m.rbx = r.rbx;
  m.rdx = r.rdx, m.rax = r.rax, m.rcx = r.rcx, m.rsp = r.rsp, m.rip = r.rip, m.eflags = r.eflags;
  uc->uc_sigmask = 0;  // the host never blocks anything while the guest runs
}

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

enum class NapEnd { refused, over, taken };

// A short sleep without waking the kernel: programs that look at the clock a thousand times a second would
// otherwise wake two threads for each look. The sleep is offered to the kernel, which takes it over, as the
// system call that it is, whenever it is awake for something else. So while the kernel believes that the
// thread runs in user mode there is nobody who could tell. If nobody takes it, it is over by itself.
NapEnd nap(Channel* ch, uint64_t length, uint32_t seen) {
  __kernel_timespec t;
  if (sys(__NR_clock_gettime, CLOCK_MONOTONIC, u(&t)) != 0) return NapEnd::refused;
  uint64_t until = static_cast<uint64_t>(t.tv_sec) * 1000000000 + static_cast<uint64_t>(t.tv_nsec) + length;
  t = {static_cast<long>(until / 1000000000), static_cast<long>(until % 1000000000)};
  ch->nap_until = until;
  ch->event = EV_SYSCALL;
  __atomic_store_n(&ch->parked, 1, __ATOMIC_SEQ_CST);
  __atomic_store_n(&ch->nap, NAP_OFFERED, __ATOMIC_SEQ_CST);
  set_bit(doorbell().naps, ch->id);
  // A kernel that wants something of this thread says so before it looks at the offers for the last time;
  // so it sees this one, or it is seen here.
  bool over = true;
  if (__atomic_load_n(&ch->kicked, __ATOMIC_SEQ_CST) != 0 ||
      __atomic_load_n(&info().may_nap, __ATOMIC_SEQ_CST) == 0) {
    over = false;
  } else {
    do {
      if (__atomic_load_n(&ch->reply_seq, __ATOMIC_SEQ_CST) != seen) return NapEnd::taken;
    } while (sys(__NR_futex, u(&ch->reply_seq), FUTEX_WAIT_BITSET, seen, u(&t), 0, FUTEX_BITSET_MATCH_ANY) !=
             -ETIMEDOUT);
  }
  uint32_t offered = NAP_OFFERED;
  if (!__atomic_compare_exchange_n(&ch->nap, &offered, NAP_NONE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    return NapEnd::taken;
  __atomic_store_n(&ch->parked, 0, __ATOMIC_RELAXED);
  if (!over) return NapEnd::refused;
  ch->napped += length;
  return NapEnd::over;
}

// Copies the declared inputs of a system call into the channel. What faults is left out: the kernel
// finds out when it looks.
void precopy(Channel* ch, uint64_t nr) {
  ch->in_count = 0;
  ch->in_used = 0;
  if (nr >= PRECOPY_SYSCALLS) return;
  const GuestRegs& r = ch->regs;
  const uint64_t args[6] = {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9};
  uint32_t used = 0, count = 0;
  for (const Precopy& p : info().precopy[nr]) {
    if (p.kind == PC_NONE) break;
    uint64_t addr = args[p.arg];
    if (addr == 0) continue;
    uint32_t room = DATA_SIZE / 2 - used;
    long len;
    if (p.kind == PC_STRING) {
      // Up to the end of the page only: what follows may not be mapped, and the string may end before.
      uint64_t max = 4096 - (addr & 4095);
      len = stub_copy_string(reinterpret_cast<char*>(ch->data + used), reinterpret_cast<const char*>(addr),
                             max < room ? max : room);
      if (len <= 0) continue;
    } else {
      uint64_t n = p.len_arg == 0xff ? p.size : args[p.len_arg] * p.size;
      if (n == 0 || n > room || (p.len_arg != 0xff && args[p.len_arg] > room)) continue;
      if (stub_copy(ch->data + used, reinterpret_cast<const void*>(addr), n) != 0) continue;
      len = static_cast<long>(n);
    }
    ch->in[count++] = {addr, static_cast<uint32_t>(len), used};
    used = (used + static_cast<uint32_t>(len) + 15) & ~15u;
    if (used >= DATA_SIZE / 2) break;
  }
  ch->in_count = count;
  ch->in_used = used;
}

bool write_outs(Channel* ch) {
  bool good = true;
  uint32_t n = ch->out_count;
  for (uint32_t i = 0; i < n && i < MAX_OUT; ++i)
    good &=
        stub_copy(reinterpret_cast<void*>(ch->out[i].addr), ch->data + ch->out[i].off, ch->out[i].len) == 0;
  return good;
}

// Takes one descriptor from the supervisor. Returns it, or a negative errno.
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
  do r = sys(__NR_recvmsg, static_cast<uint64_t>(g.socket), u(&h.m), 0);
  while (r == -4);  // EINTR
  if (r <= 0) return r == 0 ? -32 : r;
  uint64_t len = *reinterpret_cast<uint64_t*>(control);
  if (h.m.controllen < 16 || len < 16 + 4 * static_cast<uint64_t>(want)) return -9;
  for (int i = 0; i < want; ++i) fds[i] = reinterpret_cast<int*>(control + 16)[i];
  return 0;
}

int64_t run_ops(Channel* ch) {
  int64_t r = 0;
  uint32_t n = ch->nops;
  for (uint32_t i = 0; i < n && i < MAX_OPS; ++i) {
    Op op = ch->ops[i];
    if (op.nr == -1) {
      long old = stub_cmpxchg(reinterpret_cast<uint32_t*>(op.args[0]), static_cast<uint32_t>(op.args[1]),
                              static_cast<uint32_t>(op.args[2]));
      r = old < 0 ? -14 : old;
    } else {
      int fd = -1;
      if (op.wants_fd) {
        r = receive_fds(&fd, 1);
        if (r < 0) return r;
        op.args[4] = static_cast<uint64_t>(fd);
      }
      r = sys(op.nr, op.args[0], op.args[1], op.args[2], op.args[3], op.args[4], op.args[5]);
      if (fd >= 0) sys(__NR_close, static_cast<uint64_t>(fd));
    }
    if (r < 0 && r > -4096) {
      // The descriptors of the rest are on their way: take them so that the next batch fits.
      for (uint32_t j = i + 1; j < n && j < MAX_OPS; ++j)
        if (int fd; ch->ops[j].wants_fd && receive_fds(&fd, 1) == 0)
          sys(__NR_close, static_cast<uint64_t>(fd));
      return r;
    }
  }
  return r;
}

// The frame that Linux builds (arch/x86/kernel/signal_64.c): return address, ucontext, siginfo; FP state
// above, 64-byte aligned.
struct GuestFrame {
  uint64_t restorer;
  ucontext uc;
  uint8_t info[128];
};

bool build_frame(Channel* ch, ucontext* uc) {
  const SignalFrame s = ch->sig;
  char* fp = reinterpret_cast<char*>(uc->uc_mcontext.fpstate);
  size_t fps = fp != nullptr ? fp_size(fp) : 0;
  uint64_t fp_at = (s.sp - fps) & ~63ULL;
  uint64_t at = ((fp_at - sizeof(GuestFrame)) & ~15ULL) - 8;
  if (at > s.sp) return false;
  ucontext copy = *uc;
  copy.uc_link = nullptr;
  copy.uc_stack.ss_sp = reinterpret_cast<void*>(s.altstack_sp);
  copy.uc_stack.ss_size = s.altstack_size;
  copy.uc_stack.ss_flags = static_cast<int>(s.altstack_flags);
  copy.uc_sigmask = s.saved_mask;
  copy.uc_mcontext.oldmask = s.saved_mask;
  copy.uc_mcontext.fpstate = fps != 0 ? reinterpret_cast<decltype(copy.uc_mcontext.fpstate)>(fp_at) : nullptr;
  auto* f = reinterpret_cast<GuestFrame*>(at);
  if (fps != 0 && stub_copy(reinterpret_cast<void*>(fp_at), fp, fps) != 0) return false;
  if (stub_copy(&f->restorer, &s.restorer, 8) != 0 || stub_copy(&f->uc, &copy, sizeof copy) != 0 ||
      stub_copy(f->info, s.siginfo, sizeof s.siginfo) != 0)
    return false;
  auto& m = uc->uc_mcontext;
  m.rip = s.handler;
  m.rsp = at;
  m.rdi = static_cast<uint64_t>(s.signo);
  m.rsi = u(f->info);
  m.rdx = u(&f->uc);
  m.rax = 0;
  m.eflags &= ~0x10500ULL;  // RF, DF, TF
  if (fps > 576) {          // a handler starts with fresh FP state: no component in use, default MXCSR
    *reinterpret_cast<uint64_t*>(fp + 512) = 0;
    *reinterpret_cast<uint32_t*>(fp + 24) = 0x1f80;
  }
  return true;
}

// rt_sigreturn: the guest's frame starts 8 bytes below rsp (its return address is popped already).
bool load_frame(Channel* ch, ucontext* uc) {
  ucontext copy;
  if (stub_copy(&copy, reinterpret_cast<void*>(ch->regs.rsp), sizeof copy) != 0) return false;
  char* fp = reinterpret_cast<char*>(uc->uc_mcontext.fpstate);
  char* from = reinterpret_cast<char*>(copy.uc_mcontext.fpstate);
  if (fp != nullptr && from != nullptr) {
    size_t fps = fp_size(fp);
    alignas(8) char sw[48];  // software bytes 464..511 stay the host's
    memcpy(sw, fp + 464, sizeof sw);
    uint32_t magic;
    if (stub_copy(&magic, from + 464, 4) != 0) return false;
    size_t n = magic == FP_MAGIC1 ? fps : 512;
    if (stub_copy(fp, from, n) != 0) return false;
    memcpy(fp + 464, sw, sizeof sw);
    auto* mxcsr = reinterpret_cast<uint32_t*>(fp + 24);
    *mxcsr &= 0xffff;
    if (fps > 576) {
      auto* hdr = reinterpret_cast<uint64_t*>(fp + 512);
      if (n <= 512) hdr[0] |= 3;
      hdr[0] &= reinterpret_cast<FpSw*>(sw)->xfeatures;
      for (int i = 1; i < 8; ++i) hdr[i] = 0;
    }
    if (fps > 4) *reinterpret_cast<uint32_t*>(fp + fps - 4) = 0x46505845;  // FP_XSTATE_MAGIC2
  }
  ucontext regs = *uc;
  regs.uc_mcontext = copy.uc_mcontext;
  uint64_t flags = uc->uc_mcontext.eflags;
  save_regs(ch, &regs);
  // As Linux: only the flags a user may set (FIX_EFLAGS).
  constexpr uint64_t FIX = 0x50dd5;
  ch->regs.eflags = (flags & ~FIX) | (regs.uc_mcontext.eflags & FIX);
  ch->saved_mask = copy.uc_sigmask;
  ch->saved_sp = u(copy.uc_stack.ss_sp);
  ch->saved_size = copy.uc_stack.ss_size;
  ch->saved_flags = static_cast<uint32_t>(copy.uc_stack.ss_flags);
  return true;
}

// The child starts by a sigreturn from a copy of our own frame, placed on its signal stack.
int64_t clone_carrier(Channel* ch, ucontext* uc) {
  uint32_t slot = ch->new_slot;
  if (slot >= MAX_SLOTS) return -11;
  Area* area = area_of_slot(slot);
  Channel* child_ch = channel_of_slot(slot);
  area->channel = child_ch;
  area->slot = slot;
  char* top = reinterpret_cast<char*>(area) + AREA_SIZE;
  char* fp = reinterpret_cast<char*>(uc->uc_mcontext.fpstate);
  size_t fps = fp != nullptr ? fp_size(fp) : 0;
  char* fp_at = reinterpret_cast<char*>((u(top) - fps) & ~63ULL);
  auto* child_uc = reinterpret_cast<ucontext*>((u(fp_at) - sizeof(ucontext)) & ~63ULL);
  memcpy(child_uc, uc, sizeof *uc);
  if (fps != 0) {
    memcpy(fp_at, fp, fps);
    child_uc->uc_mcontext.fpstate = reinterpret_cast<decltype(child_uc->uc_mcontext.fpstate)>(fp_at);
  }
  child_uc->uc_stack.ss_sp = reinterpret_cast<char*>(area) + 256;
  child_uc->uc_stack.ss_size = AREA_SIZE - 256;
  child_uc->uc_stack.ss_flags = 0;
  // host_tid is 0 again once the host is done with the child and its stack: only then is the slot free.
  constexpr uint64_t FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                             CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
  return stub_clone(FLAGS, child_uc, &child_ch->host_tid, &child_ch->host_tid, 0);
}

// The parent process of every guest process is the supervisor; if it is gone already, so are we.
void die_with_supervisor() {
  sys(__NR_prctl, PR_SET_PDEATHSIG, 9);
  if (sys(__NR_getppid) != g.supervisor) sys(__NR_exit_group, 1);
}

// Returns in both: in the parent with the child's host pid, in the child with 0 and the new channels.
int64_t fork_process() {
  int fds[2];
  if (long r = receive_fds(fds, 2); r < 0) return r;
  // CLONE_PARENT: every guest process is a child of the supervisor, whoever forked it.
  // The address of host_tid is the same in the child's own channels.
  uint32_t* tid = &this_area()->channel->host_tid;
  long pid = sys(__NR_clone, CLONE_PARENT | CLONE_CHILD_CLEARTID, 0, 0, u(tid), 0);
  if (pid != 0) {
    sys(__NR_close, static_cast<uint64_t>(fds[0]));
    sys(__NR_close, static_cast<uint64_t>(fds[1]));
    return pid;
  }
  die_with_supervisor();
  sys(__NR_close, static_cast<uint64_t>(g.socket));
  g.socket = fds[0];
  long m = sys(__NR_mmap, CHANNELS_ADDR, MAX_SLOTS * CHANNEL_SIZE, 3, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
               static_cast<uint64_t>(fds[1]), 0);
  if (m < 0) sys(__NR_exit_group, 1);
  sys(__NR_close, static_cast<uint64_t>(fds[1]));
  return 0;
}

// Waits for the kernel, which has seen an event since the reply numbered `seen`, and does what it asks
// until the guest may go on with what `uc` then holds.
void serve_reply(Channel* ch, ucontext* uc, uint32_t seen) {
  for (;;) {
    wait_reply(ch, seen);
    switch (ch->action) {
      case ACT_RESUME:
      case ACT_SIGNAL: {
        bool good = write_outs(ch);
        load_regs(uc, ch);
        if (!good) uc->uc_mcontext.rax = static_cast<uint64_t>(-14);  // EFAULT: unmapped meanwhile
        if (ch->set_fs) sys(__NR_arch_prctl, ARCH_SET_FS, ch->regs.fs_base);
        if (ch->action == ACT_RESUME) return;
        if (build_frame(ch, uc)) return;
        save_regs(ch, uc);
        ch->event = EV_BAD_FRAME;
        break;
      }
      case ACT_OPS:
        ch->op_result = run_ops(ch);
        ch->event = EV_DONE;
        break;
      case ACT_LOAD_FRAME:
        ch->op_result = load_frame(ch, uc) ? 0 : -14;
        ch->event = EV_DONE;
        break;
      case ACT_CLONE:
        ch->op_result = clone_carrier(ch, uc);
        ch->event = EV_DONE;
        break;
      case ACT_FORK: {
        int64_t r = fork_process();
        ch->op_result = r;
        ch->event = r == 0 ? EV_STARTED : EV_DONE;
        if (r == 0) ch->host_tid = 1;  // taken; the kernel knows the number
        break;
      }
      case ACT_EXIT:
        sys(__NR_exit, 0);
        break;
      default:
        sys(__NR_exit_group, 1);
    }
    seen = __atomic_load_n(&ch->reply_seq, __ATOMIC_ACQUIRE);
    ring(ch);
  }
}

// Reports the event that the caller has put into the channel.
void serve(Channel* ch, ucontext* uc) {
  uint32_t seen = __atomic_load_n(&ch->reply_seq, __ATOMIC_ACQUIRE);
  ring(ch);
  serve_reply(ch, uc, seen);
}

void on_sigsys(int, siginfo_t* si, void* ctx) {
  auto* uc = static_cast<ucontext*>(ctx);
  Channel* ch = this_area()->channel;
  save_regs(ch, uc);
  // int 0x80: a number of another table, which this kernel does not have.
  if (si->_sifields._sigsys._arch != AUDIT_ARCH_X86_64) ch->regs.rax = ~0ULL;
  ch->event = EV_SYSCALL;
  precopy(ch, ch->regs.rax);
  uint32_t seen = __atomic_load_n(&ch->reply_seq, __ATOMIC_ACQUIRE);
  switch (uint64_t length = nap_length(ch->regs); length != 0 ? nap(ch, length, seen) : NapEnd::refused) {
    case NapEnd::over:
      uc->uc_mcontext.rax = 0;
      return;
    case NapEnd::taken:
      return serve_reply(ch, uc, seen);
    case NapEnd::refused:
      return serve(ch, uc);
  }
}

void on_kick(int, siginfo_t*, void* ctx) {
  auto* uc = static_cast<ucontext*>(ctx);
  uint64_t rip = uc->uc_mcontext.rip;
  Area* area = this_area();
  Channel* ch = area->channel;
  // The first one comes from stub_main; a later one inside our text is a stale kick.
  bool first = rip >= STUB_ADDR && rip < STUB_ADDR + 0x1000000;
  save_regs(ch, uc);
  ch->in_count = 0;
  ch->event = first ? EV_STARTED : EV_KICKED;
  serve(ch, uc);
}

void on_fault(int, siginfo_t* si, void* ctx) {
  auto* uc = static_cast<ucontext*>(ctx);
  uint64_t rip = uc->uc_mcontext.rip;
  if (rip >= u(stub_guard_start) && rip < u(stub_guard_end)) {
    uc->uc_mcontext.rip = u(stub_guard_fixup);
    return;
  }
  if (rip >= STUB_ADDR && rip < STUB_ADDR + 0x1000000) sys(__NR_exit_group, 139);
  Channel* ch = this_area()->channel;
  save_regs(ch, uc);
  ch->in_count = 0;
  ch->event = EV_FAULT;
  memcpy(ch->siginfo, si, sizeof ch->siginfo);
  ch->trap_no = uc->uc_mcontext.trapno;
  ch->error_code = uc->uc_mcontext.err;
  serve(ch, uc);
}

[[noreturn]] void die() {
  for (;;) sys(__NR_exit_group, 1);
}

void set_handler(int sig, void (*fn)(int, siginfo_t*, void*)) {
  struct {
    void (*handler)(int, siginfo_t*, void*);
    uint64_t flags;
    void (*restorer)();
    uint64_t mask;
  } sa;
  sa.handler = fn;
  sa.flags = SA_SIGINFO | SA_ONSTACK | SA_RESTORER | SA_NODEFER;
  sa.restorer = stub_restorer;
  // Everything but the synchronous ones, which the guarded accesses need.
  sa.mask = ~((1ULL << (SIGSEGV - 1)) | (1ULL << (SIGBUS - 1)) | (1ULL << (SIGILL - 1)) |
              (1ULL << (SIGFPE - 1)) | (1ULL << (SIGTRAP - 1)));
  if (sys(__NR_rt_sigaction, static_cast<uint64_t>(sig), u(&sa), 0, 8) != 0) die();
}

// Second half of the start, on the signal stack of slot 0, so that the host's own stack can go.
void start_on_area() {
  Hello hello{g.vdso};
  if (sys(__NR_write, FD_SOCKET, u(&hello), sizeof hello) < 0) die();
  Unmap list;
  if (sys(__NR_read, FD_SOCKET, u(&list), sizeof list) != sizeof list) die();
  for (uint32_t i = 0; i < list.count && i < 16; ++i)
    sys(__NR_munmap, list.range[i].start, list.range[i].len);

  sock_filter prog[FILTER_MAX];
  sock_fprog fprog{static_cast<unsigned short>(build_filter(prog, u(stub_gate_start), u(stub_gate_end))),
                   prog};
  if (sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die();
  // The carrier waits in the frame of this signal; the kernel resumes it somewhere else. It is sent
  // before the filter is in force, which allows no call that sends signals.
  uint64_t none = 0, kick = 1ULL << (KICK_SIGNAL - 1);
  sys(__NR_rt_sigprocmask, SIG_SETMASK, u(&kick), 0, 8);
  sys(__NR_tgkill, static_cast<uint64_t>(sys(__NR_getpid)), static_cast<uint64_t>(sys(__NR_gettid)),
      KICK_SIGNAL);
  if (sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, u(&fprog)) != 0) die();
  sys(__NR_rt_sigprocmask, SIG_SETMASK, u(&none), 0, 8);
  die();
}

}  // namespace

extern "C" void stub_child(ucontext* uc) {
  Area* area = this_area();
  Channel* ch = area->channel;
  ch->event = EV_STARTED;
  serve(ch, uc);
  stub_sigreturn(uc);
}

extern "C" void stub_main(uint64_t* sp) {
  // Above argc, argv and envp: the auxiliary vector.
  uint64_t* p = sp + 1 + sp[0] + 1;
  while (*p != 0) ++p;
  for (++p; p[0] != 0; p += 2)
    if (p[0] == 33) g.vdso = p[1];  // AT_SYSINFO_EHDR

  static const char name[] = "starry-guest";
  sys(__NR_prctl, PR_SET_NAME, u(name));
  g.supervisor = sys(__NR_getppid);
  die_with_supervisor();
  auto map = [](uint64_t at, uint64_t len, uint64_t prot, uint64_t flags, int fd, uint64_t off) {
    if (static_cast<uint64_t>(
            sys(__NR_mmap, at, len, prot, flags | MAP_FIXED, static_cast<uint64_t>(fd), off)) != at)
      die();
  };
  map(INFO_ADDR, INFO_SIZE, 1, MAP_SHARED, FD_INFO, 0);
  map(DOORBELL_ADDR, DOORBELL_SIZE, 3, MAP_SHARED, FD_INFO, INFO_SIZE);
  map(CHANNELS_ADDR, MAX_SLOTS * CHANNEL_SIZE, 3, MAP_SHARED | MAP_NORESERVE, FD_CHANNELS, 0);
  map(AREAS_ADDR, MAX_SLOTS * AREA_SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  sys(__NR_close, FD_CHANNELS);
  sys(__NR_close, FD_INFO);

  Area* area = area_of_slot(0);
  area->channel = channel_of_slot(0);
  area->slot = 0;
  area->channel->host_tid = static_cast<uint32_t>(sys(__NR_set_tid_address, u(&area->channel->host_tid)));
  struct {
    uint64_t sp;
    int flags, pad;
    uint64_t size;
  } ss = {u(area) + 256, 0, 0, AREA_SIZE - 256};
  if (sys(__NR_sigaltstack, u(&ss), 0) != 0) die();
  set_handler(SIGSYS, on_sigsys);
  set_handler(KICK_SIGNAL, on_kick);
  for (int sig : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP}) set_handler(sig, on_fault);
  stub_call_on(reinterpret_cast<char*>(area) + AREA_SIZE - 64, start_on_area);
}
