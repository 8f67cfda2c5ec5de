// The supervisor process: brings up channels, the process pool and the kernel, then runs the one kernel
// thread's loop.
#pragma once

#include <functional>
#include <memory>

#include "emulated_kernel/kernel.h"
#include "tracer/host_platform.h"

namespace starry {

class Supervisor {
 public:
  // Throws StartError with a one-line cause when the host lacks what is needed.
  explicit Supervisor(KernelConfig config);
  ~Supervisor();
  // Guest processes are made while the caller goes on; this waits for the first one. Throws StartError as
  // well.
  void await_processes();
  // Runs `boot` on a kernel fiber, then the loop until quit().
  void run(std::function<void()> boot);
  void quit();  // kernel thread

  HostPlatform host_platform;
  static bool spin_enabled;  // switched off by --no-spin

 private:
  bool may_spin();
  void turn();
  void idle(uint64_t deadline);
  bool others_want_this_cpu();
  void note_gap(uint64_t gap_ns);
  void release_if_pulled();
  void share_cpus(uint64_t now);
  void watch_children();

  uint64_t spin_ns_ = 0;
  int32_t kernel_tid_ = 0;  // 0: there is one CPU only
  bool near_ = true;
  int64_t mean_gap_ns_ = 100'000;
  long preemptions_ = 0;
  // Calls since a moment, and how many of them found guests on all CPUs.
  uint32_t calls_ = 0, crowded_ = 0;
  uint64_t counted_since_ns_ = 0;
  bool has_cpu_ = false;  // guests leave one to the kernel thread
  uint64_t crowded_call_ns_ = 0;
  uint32_t trial_pause_ = 0, trial_penalty_ = 0;
  std::unique_ptr<Kernel> kernel_;
  std::thread watcher_;
};

}  // namespace starry
