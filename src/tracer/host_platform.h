// The Platform of the real program: clocks, guest processes from the pool, hand-over from other threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "emulated_kernel/platform.h"

namespace starry {

class GuestProcess;

class HostPlatform final : public Platform {
 public:
  HostPlatform();
  ~HostPlatform() override;
  uint64_t monotonic_ns() override;
  uint64_t realtime_ns() override;
  uint64_t boottime_ns() override;
  uint64_t realtime_coarse_ns() override;
  uint64_t monotonic_coarse_ns() override;
  uint64_t monotonic_raw_ns() override;
  uint64_t coarse_tick_ns() override;
  void entropy(void* dst, size_t n) override;
  void futex_wakes() override;
  void futex_waiters(uint64_t addr, int change) override;
  uint64_t thread_cpu_ns(HostThread& t) override;
  HostMemory host_memory() override;  // these three: host_machine.cc
  std::string host_cpuinfo() override;
  uint64_t resident_bytes(HostSpace& space) override;
  size_t page_map(HostSpace& space, uint64_t addr, std::span<uint64_t> entries) override;
  Result<NewSpace> new_space(Task& owner, const Cred& cred) override;
  void post(std::function<void()> fn) override;
  void run_blocking(std::function<void()> fn) override;

  // Runs what was posted. Returns whether there was anything. Kernel thread only.
  bool run_posted();
  bool posted() const { return posted_.load(std::memory_order_acquire); }

 private:
  void worker();
  std::mutex mutex_;
  std::deque<std::function<void()>> queue_;
  std::atomic<bool> posted_{false};

  std::mutex work_mutex_;
  std::condition_variable work_cv_;
  std::deque<std::function<void()>> work_;
  std::vector<std::thread> workers_;
  int idle_workers_ = 0;
  bool stopping_ = false;
};

}  // namespace starry
