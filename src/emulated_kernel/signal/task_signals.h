// Signal state of a thread and of a process (struct sigpending, struct sighand_struct). The rules are
// in signal/queue.cc (sending, ignoring, merging) and signal/deliver.cc (choosing, frames, defaults).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/sync/wait_queue.h"

namespace starry {

class Task;
class ThreadGroup;

using SigSet = uint64_t;  // bit (signo - 1), as the kernel ABI
constexpr SigSet sigbit(int signo) { return 1ULL << (signo - 1); }
inline constexpr SigSet SIG_UNBLOCKABLE = (1ULL << 8) | (1ULL << 18);  // SIGKILL (9), SIGSTOP (19)

// siginfo_t as the ABI has it: 128 bytes; signo, errno, code, then the union.
struct SigInfo {
  int32_t signo = 0, err = 0, code = 0;
  int32_t claimed = 0;  // padding for user space; here: its sender has filled it in, see claimed_siginfo()
  union {
    uint8_t raw[112];
    struct {
      int32_t pid;
      uint32_t uid;
      uint64_t value;  // rt: sigval
    } rt;
    struct {
      int32_t pid;
      uint32_t uid;
      int32_t status;
      int32_t pad2;
      int64_t utime, stime;
    } chld;
    struct {
      int32_t tid, overrun;
      uint64_t value;
    } timer;
    struct {
      uint64_t addr;
      int16_t lsb;
    } fault;
    struct {
      int64_t band;
      int32_t fd;
    } poll;
    struct {
      uint64_t call_addr;
      int32_t nr;
      uint32_t arch;
    } sys;
  };
  SigInfo() { std::memset(raw, 0, sizeof raw); }
};
static_assert(sizeof(SigInfo) == 128);

// struct sigaction as rt_sigaction(2) passes it.
struct KSigAction {
  uint64_t handler = 0;  // 0 SIG_DFL, 1 SIG_IGN
  uint64_t flags = 0;
  uint64_t restorer = 0;
  SigSet mask = 0;
};
static_assert(sizeof(KSigAction) == 32);

struct PendingSet {
  SigSet bits = 0;
  std::deque<SigInfo> queue;  // real-time signals queue; a standard one appears at most once
};

// Handlers; shared by threads (CLONE_SIGHAND), copied by fork.
class SigHandlers : public RefCounted {
 public:
  std::array<KSigAction, 64> actions{};  // index signo - 1
};

struct SharedSignals {
  PendingSet pending;
  Ref<SigHandlers> handlers;
  WaitQueue signalfd_queue;  // woken when a signal arrives for the process or one of its threads
};

struct TaskSignals {
  SigSet blocked = 0;
  SigSet saved_mask = 0;  // sigsuspend / ppoll / pselect: restored when the handler returns
  bool restore_saved = false;
  PendingSet pending;
  uint64_t alt_sp = 0, alt_size = 0;
  uint32_t alt_flags = 0;  // as last set; none is there while alt_size is 0
  bool killed = false;     // SIGKILL or exit_group: leave the kernel only to die
  SigSet sigwait = 0;      // signals that rt_sigtimedwait is waiting for
  WaitQueue* sigwait_queue = nullptr;
  bool stopped = false;  // sleeps in the group stop
  int frame_signo = 0;   // the handler being entered, and the mask before it: for a bad frame
  SigSet frame_old_mask = 0;
};

}  // namespace starry
