// What supervisor and stub share: addresses, the channel of a guest thread, the doorbell, the info
// page. Included by both sides; plain data only. Everything in a channel or doorbell can be changed by
// the guest at any time: the supervisor reads each word once and checks it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "emulated_kernel/abi/guest_regs.h"

namespace starry::chan {

inline constexpr uint32_t MAX_SLOTS = 4096;           // carriers per address space
inline constexpr uint64_t CHANNEL_SIZE = 128 * 1024;  // bytes per channel
inline constexpr uint64_t AREA_SIZE = 64 * 1024;      // per carrier: its signal stack, then Area

// Fixed places inside the window that mm/mm.h keeps free of guest mappings (GUEST_RESERVED_*). What a process
// with few threads touches lies within 2 MiB, that is one page of its page table: each further page costs at
// fork, exec and exit, most of all where a hypervisor shadows it. CMakeLists.txt knows STUB_ADDR.
inline constexpr uint64_t AREAS_ADDR = 0x6f0000040000;  // of carriers, private; that of slot 0 is the last
inline constexpr uint64_t STUB_ADDR = AREAS_ADDR + MAX_SLOTS * AREA_SIZE;  // text and data of the stub
inline constexpr uint64_t STUB_SIZE = 256 * 1024;                          // at most
inline constexpr uint64_t INFO_ADDR = STUB_ADDR + STUB_SIZE;               // InfoPage (read-only)
inline constexpr uint64_t INFO_SIZE = 16 * 1024;
inline constexpr uint64_t DOORBELL_ADDR = INFO_ADDR + INFO_SIZE;
inline constexpr uint64_t DOORBELL_SIZE = 320 * 1024;
inline constexpr uint64_t CHANNELS_ADDR = DOORBELL_ADDR + DOORBELL_SIZE;  // Channel[MAX_SLOTS], shared
static_assert(STUB_ADDR == 0x6f0010040000);
inline constexpr uint64_t area_start(uint32_t slot) {
  return AREAS_ADDR + (MAX_SLOTS - 1 - slot) * AREA_SIZE;
}

// The host signal of a kick, SIGURG: one that nothing else sends and that does no harm to a process without
// the stub. Not a real-time one, which the host refuses when too many are queued (RLIMIT_SIGPENDING).
inline constexpr int KICK_SIGNAL = 23;

enum Event : uint32_t {
  EV_NOTHING,
  EV_SYSCALL,       // a `syscall` instruction that trapped
  EV_SYSCALL_FAST,  // one that was rewritten
  EV_KICKED,
  EV_FAULT,
  EV_DONE,       // an action that is not a resume is finished; op_result holds its value
  EV_BAD_FRAME,  // ACT_SIGNAL could not write the frame
};

enum Action : uint32_t {
  ACT_NONE,
  ACT_RESUME,      // run `ops_first`, write outs, load regs, back to the guest
  ACT_SIGNAL,      // the same, then build `sig` on the guest's stack
  ACT_OPS,         // run ops[0..nops)
  ACT_EMPTY,       // the same, and the FP state is that of a new program
  ACT_RETURN,      // ACT_RESUME of rt_sigreturn: with the FP state at fp_at
  ACT_LOAD_FP,     // only takes that state, before something else is done
  ACT_CLONE,       // new carrier thread in slot new_slot
  ACT_REUSE,       // the carrier of slot new_slot, which waits, gets a copy of our frame
  ACT_FORK,        // new host process, its carrier in the same slot of its own channels
  ACT_EXIT,        // end of the carrier
  ACT_EXIT_GROUP,  // end of the process
  ACT_FRAME,       // wait on in a host signal frame, which has the FP state: after a call by a trampoline
};

// A short sleep that the carrier does on its own unless the kernel takes it over; see nap() in stub/nap.cc.
inline constexpr int64_t MAX_NAP_NS = 10'000'000;
enum Nap : uint32_t { NAP_NONE, NAP_OFFERED, NAP_TAKEN };

struct Window {  // a piece of guest memory that travels in the data area
  uint64_t addr;
  uint32_t len;
  uint32_t off;  // in Channel::data
};

enum class OpFd : uint32_t {
  none,
  fresh,  // args[4] is a descriptor that comes over the socket
  same,   // the one of the last operation that had one
};
struct Op {
  int64_t nr;
  uint64_t args[6];
  OpFd fd;
  uint32_t pad;
};

struct SignalFrame {
  int32_t signo;
  uint32_t altstack_flags;
  uint64_t handler, restorer, sp, saved_mask, altstack_sp, altstack_size;
  uint8_t siginfo[128];
};

inline constexpr uint32_t MAX_IN = 16, MAX_OUT = 32, MAX_OPS = 24;
inline constexpr uint32_t DATA_SIZE = CHANNEL_SIZE - 8192;

// What the stub answers itself; InfoPage::answer says which call is which word.
inline constexpr uint32_t ANSWER_COUNT = 7;
struct Answers {
  uint32_t valid = 0;  // the kernel has filled it
  uint32_t value[ANSWER_COUNT] = {};
};

// struct ucontext of Linux up to the signal mask, as rt_sigreturn finds it at the stack pointer.
struct SavedContext {
  uint64_t uc_flags, uc_link;
  uint64_t altstack_sp;
  uint32_t altstack_flags, pad;
  uint64_t altstack_size;
  uint64_t regs[18];  // in the order of GuestRegs, up to eflags
  uint64_t other[5];
  uint64_t fpstate;
  uint64_t reserved[8];
  uint64_t mask;
};

// How a carrier waits for the kernel's answer.
enum Parked : uint32_t {
  PARKED_NOT,     // it spins, or does not wait
  PARKED_ASLEEP,  // or is about to: on its word of Doorbell::wake
  PARKED_YIELDS,  // it looks whenever the host gives it its CPU: nobody need wake it
};

struct Channel {
  // Written by the guest. ring_seq: event number; the supervisor handles one event per number.
  alignas(64) uint32_t ring_seq;
  uint32_t event;
  uint32_t in_count;
  uint32_t in_used;  // bytes of data[] that inputs take
  uint32_t host_tid;
  // futex(2) that may wait: the word, and InfoPage::futex_wakes and own_wakes before the look at it.
  uint32_t futex_known, futex_word, futex_wakes;
  int64_t op_result;
  uint64_t op_cycles;  // of the CPU's counter, that ACT_OPS took
  uint64_t trap_no, error_code;
  uint8_t siginfo[128];
  uint32_t futex_own_wakes;
  Window in[MAX_IN];
  uint64_t continuation;  // of the stub's: where in the trampoline the guest goes on
  uint64_t nap_until;     // CLOCK_MONOTONIC ns
  uint64_t napped;        // ns, all naps that the kernel did not take over
  // Written by the guest with an event, and by the kernel with a reply that says so (`regs_changed`).
  alignas(64) GuestRegs regs;
  // Written by the kernel. What every reply needs is in one cache line. The first reply to a carrier is
  // number 1.
  alignas(64) uint32_t reply_seq;
  uint32_t action;
  uint32_t out_count;
  uint32_t set_fs;        // load regs.fs_base
  uint32_t no_spin;       // the answer will take long: sleep at once
  uint32_t cpu_taken;     // another carrier goes on where this one waits: it may yield instead of sleeping
  uint32_t kicked;        // a kick was sent since the last reply
  uint32_t regs_changed;  // else only rax is new, and here
  uint32_t wake_other;    // 1 + number of a channel whose carrier this one is to wake before it sleeps
  uint64_t rax;
  uint32_t ops_first;  // run ops[0..nops) before the guest goes on
  Answers answers;
  uint32_t nops;
  uint32_t new_slot;
  uint32_t id;          // bit number in the doorbell
  uint32_t host_cpu;    // 1 + the one that the carrier is bound to
  uint64_t patch_site;  // of slot 0: the instruction that is being rewritten; breakpoints there wait
  uint64_t fp_at;       // of ACT_RETURN: where the guest's signal frame has the FP state; 0: it has none
  uint64_t rseq_at;  // struct rseq of the thread, which the kernel looks at before it enters a handler; or 0
  Window out[MAX_OUT];
  Op ops[MAX_OPS];
  SignalFrame sig;
  alignas(64) uint32_t parked;  // enum Parked
  uint32_t nap;                 // enum Nap: offered and withdrawn by the guest, taken by the kernel
  // Of slot 0: changes with each wake-up that the process's stub looked at itself.
  alignas(64) uint32_t own_wakes;
  alignas(64) uint8_t data[];
};
static_assert(sizeof(Channel) <= 8192);

// Who offers a nap. Shared by all guest processes, so a bit only says "look at this
// channel".
inline constexpr uint32_t DOORBELL_WORDS = 1024;
inline constexpr uint32_t MAX_CHANNELS = DOORBELL_WORDS * 64;
struct DoorbellBits {
  alignas(64) uint64_t summary[DOORBELL_WORDS / 64];  // which words are not 0
  alignas(64) uint64_t bits[DOORBELL_WORDS];
};
struct Doorbell {
  alignas(64) uint32_t sleeping;  // futex word: 1 while the supervisor sleeps
  uint32_t pulled;                // a carrier bound the kernel thread to its own CPU before it woke it
  DoorbellBits naps;
  // Futex words, by channel number, that change with each wake-up of a sleeping carrier. Here and not in the
  // channel, so that the carrier of another process can wake it.
  alignas(64) uint32_t wake[MAX_CHANNELS];
};

// How the stub copies one input along; from the table of system calls.
enum PrecopyKind : uint8_t { PC_NONE, PC_STRING, PC_BYTES };
struct Precopy {
  uint8_t kind, arg;
  uint8_t len_arg;  // 0xff: fixed
  uint8_t pad;
  uint32_t size;  // fixed size, or bytes per unit of len_arg
};
inline constexpr uint32_t MAX_PRECOPY = 3, PRECOPY_SYSCALLS = 512;

inline constexpr uint32_t RSEQ_BYTES = 28;  // of it that come along

// Of InfoPage::futex_waiters; what it counts for another address only costs a look into the kernel.
inline constexpr uint32_t FUTEX_BUCKET_BITS = 9;
constexpr uint32_t futex_bucket(uint64_t addr) {
  return static_cast<uint32_t>((addr >> 2) * 0x9e3779b97f4a7c15 >> (64 - FUTEX_BUCKET_BITS));
}

struct InfoPage {
  uint32_t spin;                     // turns to spin before sleeping
  uint32_t may_nap;                  // no task waits for a CPU, and nobody wants to see every call
  int32_t kernel_tid;                // of the kernel thread; 0: leave it on the CPU where it is
  uint8_t answer[PRECOPY_SYSCALLS];  // by number: 1 + index in Answers, 0: ask the kernel
  Precopy precopy[PRECOPY_SYSCALLS][MAX_PRECOPY];
  alignas(64) uint32_t futex_wakes;  // changes with each futex operation that wakes or moves waiters
  // The stub may answer a wake-up of a private futex that finds nobody, and how many wait for such, by
  // address.
  uint32_t futex_answers;
  alignas(64) uint32_t futex_waiters[1 << FUTEX_BUCKET_BITS];
};
static_assert(sizeof(InfoPage) <= INFO_SIZE && sizeof(Doorbell) <= DOORBELL_SIZE);

// First message of a new process to the supervisor, and the answer: ranges to unmap.
struct Hello {
  uint64_t vdso;
  uint64_t fast_entry;   // where trampolines jump to
  uint32_t trampolines;  // bit i: TRAMPOLINE_AREAS[i] is there
};
struct Unmap {
  uint32_t count, pad;
  struct {
    uint64_t start, len;
  } range[16];
};

// Descriptors of a new process: 0 stays open as the channel for descriptors.
inline constexpr int FD_SOCKET = 0, FD_CHANNELS = 1, FD_INFO = 2;

}  // namespace starry::chan
