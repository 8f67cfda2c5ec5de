// Everything the kernel library needs from the world outside: clocks, entropy, guest address spaces
// and the host threads that carry guest threads. The tracer implements it on the host; unit tests
// with tests/unit/fake_platform.h. Nothing else in the kernel archives may call the host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "emulated_kernel/abi/guest_regs.h"
#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/result.h"

namespace starry {

class Cred;
class Task;

// One host system call of the memory family, executed by the stub inside a guest's address space.
struct HostOp {
  // nr = CMPXCHG32: not a system call but an atomic compare-and-exchange: args = {address, expected,
  // desired}; the result is the old value, or -EFAULT.
  static constexpr int64_t CMPXCHG32 = -1;
  int64_t nr = 0;
  uint64_t args[6] = {};
  // >= 0: a supervisor-side descriptor; the stub receives its own copy, uses it as the `fd` argument
  // (args[4]) and closes it.
  int fd = -1;
};

// A guest address space: one host process. Dies (host SIGKILL) when the last reference goes.
class HostSpace : public RefCounted {
 public:
  // Raw access without looking at the memory map; works from any context. EFAULT, ESRCH (dead).
  virtual Result<size_t> peek(uint64_t addr, void* dst, size_t n) = 0;
  virtual Result<size_t> poke(uint64_t addr, const void* src, size_t n) = 0;
  virtual int host_pid() const = 0;
};

// How a guest thread goes on after the kernel is done with it.
struct ResumeSignal {  // build a Linux signal frame on the guest's stack and enter the handler
  int signo = 0;
  uint64_t handler = 0, restorer = 0;
  uint64_t sp = 0;          // top of the stack to use: altstack end, or rsp - 128
  uint64_t saved_mask = 0;  // uc_sigmask
  uint64_t altstack_sp = 0, altstack_size = 0;
  uint32_t altstack_flags = 0;  // uc_stack
  uint8_t siginfo[128] = {};
  bool use_siginfo = true;
  // More signals are pending: instead of running the handler's first instruction the carrier comes
  // back with EventKind::kicked, so that the next frame is stacked on this one as on Linux.
  bool again = false;
};

// The host thread that carries one guest thread. While the kernel works for the guest thread, the
// carrier waits in the stub; resume() lets it go.
class HostThread {
 public:
  virtual ~HostThread() = default;
  // General registers as of the last event; what the kernel changes here takes effect at resume.
  virtual GuestRegs& regs() = 0;
  // Lets the guest run (with regs().rax as the result of a system call). Never blocks.
  virtual void resume() = 0;
  // The same, entering a signal handler. An unwritable frame comes back as an EventKind::bad_frame.
  virtual void resume_signal(const ResumeSignal&) = 0;
  // For rt_sigreturn(2): loads regs() from the frame at regs().rsp; mask and alternate stack of it are the
  // result. The carrier takes its FP state on the way back (a fault then comes as EventKind::fault), or in
  // load_left_fp(), which suspends the fiber: before anything else is done with that state. EFAULT.
  struct SavedFrame {
    uint64_t mask = 0, altstack_sp = 0, altstack_size = 0;
    uint32_t altstack_flags = 0;
  };
  virtual Result<SavedFrame> load_signal_frame() = 0;
  virtual Result<void> load_left_fp() { return {}; }
  // Runs mapping operations in the address space, in order, stopping at the first failure. Suspends
  // the calling fiber (which keeps its emulated CPU) until done. Value of the last one, or its errno.
  virtual Result<int64_t> run_ops(std::span<const HostOp> ops) = 0;
  // The same for the last thing that a system call does, and which cannot fail but for want of the host's
  // memory: it may also be done on the way back to the guest, if nobody else is in the address space. If it
  // fails then, the process dies.
  virtual Result<void> run_op_on_return(const HostOp& op) {
    auto r = run_ops({&op, 1});
    return r.ok() ? Result<void>() : r.error();
  }
  // From now on run_ops() may only remember what to do, and succeed, until run_gathered() does all of it. For
  // many operations in a row of which nothing is needed before the end. Descriptors must stay open meanwhile.
  virtual void gather_ops() {}
  virtual Result<void> run_gathered() { return {}; }
  // Makes a guest thread that is running in user mode enter the kernel soon (EventKind::kicked).
  // May also be seen after the thread's next system call: the kernel must tolerate a late one.
  virtual void kick() = 0;
  // The guest thread's call has to wait: its carrier need not spin for the answer.
  virtual void will_wait() {}
  // Binds the carrier to the host CPU that stands for an emulated one.
  virtual void bind_cpu(int emulated_cpu) = 0;
  // A new carrier in the same address space, which waits for resume(). It starts with
  // a copy of this thread's registers and FP state; the caller then edits the new regs(). `tls`
  // non-zero sets fs_base. EAGAIN.
  virtual Result<std::unique_ptr<HostThread>> clone_thread(Task& child) = 0;
  // A copy of the whole address space (host copy-on-write) with one carrier.
  virtual Result<std::pair<Ref<HostSpace>, std::unique_ptr<HostThread>>> fork(Task& child) = 0;
  // Ends the carrier. If it is the last of its space the space may be released, or emptied for the next
  // program: only one with the rights of `owner`, since who had the space may have left traps in it. Null:
  // for nobody.
  virtual void exit(Ref<const Cred> owner) = 0;
  virtual int host_tid() const = 0;

  // Buffers that travelled with the system call: the stub copied declared inputs into the channel and
  // will copy outputs back on resume, so most accesses need no host call. window_read returns false if
  // [addr, addr+n) was not brought along; window_write if there is no room (then poke() is used).
  virtual bool window_read(uint64_t addr, void* dst, size_t n) = 0;
  // How many bytes from addr on travelled along (at most n); copies them. For strings: 0 if none.
  virtual size_t window_prefix(uint64_t addr, void* dst, size_t n) = 0;
  virtual bool window_write(uint64_t addr, const void* src, size_t n) = 0;
  // The same without a copy: room for n bytes, whose first ones window_filled() makes an output; and the
  // place of an input. Null if there is none.
  virtual uint8_t* window_room(size_t /*n*/) { return nullptr; }
  virtual void window_filled(uint64_t /*addr*/, size_t /*n*/) {}
  virtual const uint8_t* window_view(uint64_t /*addr*/, size_t /*n*/) { return nullptr; }
  // The word at `addr` that futex(2) was called with, as it was when the thread made the call, if there was
  // no Platform::futex_wakes() since.
  virtual std::optional<uint32_t> futex_word(uint64_t /*addr*/) { return {}; }
};

class Platform {
 public:
  virtual ~Platform() = default;
  virtual uint64_t monotonic_ns() = 0;  // CLOCK_MONOTONIC
  virtual uint64_t realtime_ns() = 0;   // CLOCK_REALTIME
  virtual uint64_t boottime_ns() { return monotonic_ns(); }
  // CLOCK_REALTIME_COARSE and CLOCK_MONOTONIC_COARSE, which the guest also reads from the vdso, and the
  // length of their ticks: what the kernel dates by them must not be ahead of what the guest sees.
  virtual uint64_t realtime_coarse_ns() { return realtime_ns(); }
  virtual uint64_t monotonic_coarse_ns() { return monotonic_ns(); }
  virtual uint64_t monotonic_raw_ns() { return monotonic_ns(); }
  virtual uint64_t coarse_tick_ns() { return 4'000'000; }
  virtual void entropy(void* dst, size_t n) = 0;
  // Somebody wakes those who wait for a futex, or lets them wait for another one.
  virtual void futex_wakes() {}
  // `change` threads more (or less) wait for the private futex at this address, in whatever address space.
  // Before the kernel looks at the word.
  virtual void futex_waiters(uint64_t /*addr*/, int /*change*/) {}
  // CPU time used by a carrier so far, ns.
  virtual uint64_t thread_cpu_ns(HostThread&) { return 0; }
  // The machine below, for sysinfo(2), /proc/meminfo and /proc/cpuinfo.
  struct HostMemory {  // bytes
    uint64_t total = 4ULL << 30, free = 2ULL << 30, available = 2ULL << 30, buffers = 0, cached = 0;
  };
  virtual HostMemory host_memory() { return {}; }
  // The block of one processor in the host's /proc/cpuinfo ("key\t: value" lines); empty: unknown.
  virtual std::string host_cpuinfo() { return {}; }
  // Bytes of an address space that are in memory; 0: unknown.
  virtual uint64_t resident_bytes(HostSpace&) { return 0; }
  // What the host's /proc/PID/pagemap (proc(5)) says of the pages from `addr` on, without frame numbers. How
  // many entries there are; 0: unknown.
  virtual size_t page_map(HostSpace&, uint64_t /*addr*/, std::span<uint64_t> /*entries*/) { return 0; }
  // An empty address space (only the stub, vdso and vvar) with one carrier stopped in its stub.
  // `image` receives the maps the host put there and the guest keeps (vdso, vvar).
  struct FixedMap {
    uint64_t start, end;
    std::string name;  // "[vdso]", "[vvar]"
    int prot;
  };
  struct NewSpace {
    Ref<HostSpace> space;
    std::unique_ptr<HostThread> thread;
    std::vector<FixedMap> fixed;
  };
  // `cred`: of the program that will run there.
  virtual Result<NewSpace> new_space(Task& owner, const Cred& cred) = 0;
  // Runs `fn` on the kernel thread soon. The only member that other host threads may call.
  virtual void post(std::function<void()> fn) = 0;
  // Runs `fn` on a helper host thread, for host work that may block; hand results back with post().
  virtual void run_blocking(std::function<void()> fn) = 0;
};

Platform& platform();
void set_platform(Platform* p);

}  // namespace starry
