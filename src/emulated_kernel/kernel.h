// The kernel as a whole: what boots it, and the loop that the one kernel thread runs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "emulated_kernel/platform.h"
#include "emulated_kernel/task/task.h"

namespace starry {

struct KernelConfig {
  int cpus = 1;
  std::string hostname = "starry";
  uint64_t memory_bytes = 0;      // what sysinfo and /proc/meminfo show; 0 = the host's
  Ref<const Cred> cred;           // of the first process
  bool quiet = false;             // no "not implemented" warnings
  std::string release = "6.1.0";  // uname -r
  // The call stack of a guest thread that waits in the kernel, a line per frame, for messages to people.
  std::function<std::vector<std::string>(Task&)> guest_stack;
};

// What the guest did; produced by the tracer's channel code, consumed by the kernel loop.
struct GuestEvent {
  enum class Kind : uint8_t {
    syscall,    // regs().rax holds the number
    kicked,     // interrupted in user mode after kick()
    fault,      // a synchronous host signal; siginfo says which
    bad_frame,  // resume_signal could not write its frame
    died,       // the host process or thread is gone (kill -9 from outside)
  } kind;
  SigInfo info;  // for fault
  uint64_t trap_no = 0, error_code = 0;
};

class Kernel {
 public:
  explicit Kernel(KernelConfig cfg);
  ~Kernel();
  KernelConfig config;

  // The channel code calls this for every event, on the kernel thread, from the loop.
  void handle_event(Task& t, const GuestEvent& e);
  // One turn of the loop besides channels: due timers, idle CPUs. Returns when to come back at the
  // latest (CLOCK_MONOTONIC ns).
  uint64_t run_pending();
};

Kernel& kernel();

}  // namespace starry
