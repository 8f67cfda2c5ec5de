// What the files of the stub share. Freestanding: no libc, no thread-local storage, general registers only.
#pragma once

#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>

#include "tracer/channel.h"
#include "tracer/trampoline.h"

#pragma GCC visibility push(hidden)

namespace starry::chan {

// What lies at the end of a carrier's area; its signal stack takes the rest, down from there. They share a
// page, so that fork(2) has one less to copy. fast_entry.S knows the offsets.
struct Area {
  Channel* channel;  // 0
  uint64_t stack;    // 8: top of the stack for calls that come from a trampoline
  // 16: a kick came while the carrier was in the stub or on its way there; looked at before it leaves.
  uint32_t kicked;
  uint32_t started;    // its first kick is over
  uint32_t kick_gate;  // the trap at stub_gate_trap is to report the kick, not to carry out an action
  // Yielding did not pay the last time: how often not to try it, from now on and after the next failure.
  uint32_t yield_pause, yield_penalty;
  ucontext* frame;  // the host signal frame in which the carrier waits
};
static_assert(offsetof(Area, stack) == 8 && offsetof(Area, kicked) == 16);
inline constexpr uint64_t AREA_END = 256;  // bytes kept for it
inline constexpr uint64_t SIGNAL_STACK_SIZE = AREA_SIZE - AREA_END;
static_assert(sizeof(Area) < AREA_END);

}  // namespace starry::chan

extern "C" {
// syscall.S
long stub_syscall(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
[[noreturn]] void stub_sigreturn(void* uc);
void stub_restorer();
long stub_clone(uint64_t flags, void* child_uc, uint32_t* ptid, uint32_t* ctid, uint64_t tls);
long stub_copy(void* dst, const void* src, size_t n);
long stub_copy_string(char* dst, const char* src, size_t max);
long stub_save_fp(void* to, uint64_t features);
long stub_load_fp(const void* from, uint64_t features);
long stub_cmpxchg(uint32_t* p, uint32_t expected, uint32_t desired);
[[noreturn]] void stub_call_on(void* stack_top, void (*fn)());
extern char stub_guard_start[], stub_guard_end[], stub_guard_fixup[], stub_gate_start[], stub_gate_end[];
// fast_entry.S
void stub_fast_entry();
void stub_fast_lone();
void stub_fast_shared();
extern void (*stub_fast_target)();
extern starry::chan::Channel* stub_lone_channel;
extern uint64_t stub_lone_stack;
[[noreturn]] void stub_gate_trap();
[[noreturn]] void stub_fast_leave(starry::chan::Channel* ch, starry::chan::Area* area);
extern char stub_gate_trap_return[], stub_fast_exit[], stub_fast_exit_end[];

void* memcpy(void* d, const void* s, size_t n);
void* memset(void* d, int c, size_t n);
}

namespace starry::stub {

inline long sys(long nr, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0, uint64_t e = 0,
                uint64_t f = 0) {
  return stub_syscall(nr, a, b, c, d, e, f);
}
inline uint64_t u(const void* p) { return reinterpret_cast<uint64_t>(p); }

inline chan::Area* area_of_slot(uint32_t slot) {
  return reinterpret_cast<chan::Area*>(chan::area_start(slot) + chan::SIGNAL_STACK_SIZE);
}
inline chan::Channel* channel_of_slot(uint32_t slot) {
  return reinterpret_cast<chan::Channel*>(chan::CHANNELS_ADDR + slot * chan::CHANNEL_SIZE);
}
inline const chan::InfoPage& info() { return *reinterpret_cast<const chan::InfoPage*>(chan::INFO_ADDR); }
inline chan::Doorbell& doorbell() { return *reinterpret_cast<chan::Doorbell*>(chan::DOORBELL_ADDR); }

// Everything but the first lines of fast_entry.S runs on the signal stack, so the stack pointer names the
// area.
inline chan::Area* this_area() {
  return reinterpret_cast<chan::Area*>((u(__builtin_frame_address(0)) & ~(chan::AREA_SIZE - 1)) +
                                       chan::SIGNAL_STACK_SIZE);
}
inline uint64_t signal_stack_of(const chan::Area* area) { return u(area) - chan::SIGNAL_STACK_SIZE; }

// What all host signal frames have in common.
struct FrameFormat {
  uint64_t uc_flags;
  uint16_t cs, ss;
  uint32_t fp_size;  // 0: not known
  uint64_t fp_features;
  char fp_sw[48];  // struct _fpx_sw_bytes
};

struct Globals {
  uint64_t vdso = 0;
  long supervisor = 0;  // its pid
  FrameFormat frame = {};
};
extern Globals g;

inline constexpr uint64_t GUEST_END = 0x7ffffffff000;  // GUEST_TASK_SIZE of mm/mm.h

// Whether stub_fast_leave() can go there with these flags: iretq faults where the host's own would not be
// noticed, and single steps are better left to the host.
inline bool can_leave_to(uint64_t rip, uint64_t eflags) {
  constexpr uint64_t TF = 0x100, NT = 0x4000;
  return g.frame.fp_size != 0 && rip < GUEST_END && (eflags & TF) == 0 &&
         (__builtin_ia32_readeflags_u64() & NT) == 0;
}

// channel_io.cc
// Adds a channel to one of the doorbell's sets.
void set_bit(chan::DoorbellBits& to, uint32_t id);
// Number of the last reply.
inline uint32_t last_reply(const chan::Channel* ch) {
  return __atomic_load_n(&ch->reply_seq, __ATOMIC_ACQUIRE);
}
// Where the carrier of a channel sleeps. Read it before the last look at what would be missed.
uint32_t* wake_word(const chan::Channel* ch);
// Rings for the event that is in the channel.
void ring(chan::Channel* ch);
// Waits for a reply after the one numbered `seen`. A new carrier begins with that, and with 0: the first
// reply may have come before it.
void wait_reply(chan::Channel* ch, uint32_t seen);
// Rings for the event that is in the channel and waits for the kernel's answer.
void report(chan::Channel* ch);
// The same for a system call, which may be a nap: then the kernel only hears of it if it wants to. True: the
// kernel has answered. False: the nap is over and the result of the call 0.
bool report_call(chan::Channel* ch);
// Makes ch->regs the registers that a resuming reply is for.
inline void take_result(chan::Channel* ch) {
  if (!ch->regs_changed) ch->regs.rax = ch->rax;
}
// precopy.cc
// Copies the inputs of a system call into the channel. What faults is left out: the kernel finds out when it
// looks.
void precopy(chan::Channel* ch, uint64_t nr);
// The same where the guest was interrupted: a handler may be the answer.
void precopy_interrupted(chan::Channel* ch);
// Copies the outputs to the guest's memory; false after a fault.
bool write_outs(chan::Channel* ch);
// Takes descriptors from the supervisor. 0, or a negative errno.
long receive_fds(int* fds, int want);
int64_t run_ops(chan::Channel* ch);
// Those that a resuming reply brings along.
inline void run_first_ops(chan::Channel* ch) {
  if (ch->ops_first != 0 && run_ops(ch) < 0) sys(__NR_exit_group, 1);
}

// nap.cc
enum class NapEnd { refused, over, taken };
// A short sleep without waking the kernel: programs that look at the clock a thousand times a second would
// otherwise wake two threads for each look. The sleep is offered to the kernel, which takes it over, as the
// system call that it is, whenever it is awake for something else. So while the kernel believes that the
// thread runs in user mode there is nobody who could tell. If nobody takes it, it is over by itself.
NapEnd nap(chan::Channel* ch, uint32_t seen);

// frames.cc
void save_regs(chan::Channel* ch, const ucontext* uc);
void load_regs(ucontext* uc, const chan::Channel* ch);
size_t fp_size(const void* fp);  // bytes of the FP state of a host frame
// FP state as execve(2) and the entry of a handler leave it: no component in use, default MXCSR.
void fresh_fp(ucontext* uc);
// Builds the signal frame that ch->sig describes and makes `uc` enter the handler; false after a fault.
bool build_frame(chan::Channel* ch, ucontext* uc);
// Remembers what a host frame looks like.
void learn_frame_format(const ucontext* uc);
// The same as build_frame() for ch->regs and the FP state that the CPU has, which is a fresh one then.
bool build_frame_here(chan::Channel* ch);
// rt_sigreturn: makes the FP state at ch->fp_at that of `uc`; false after a fault.
bool load_fp(const chan::Channel* ch, ucontext* uc);

// sites.cc
// If `uc` is about to execute the place behind a `syscall` that became a jump: makes it go on with what was
// moved away from there.
bool skip_rewritten(ucontext* uc);
// The guest was interrupted within a trampoline. True: `uc` is now what it would be without the
// trampoline, at an instruction boundary of the original code; false: it has to go on first.
bool leave_trampoline(ucontext* uc);
// SIGTRAP: true if the guest shall go on without learning of it.
bool hide_trap(ucontext* uc);

}  // namespace starry::stub
