#include "tracer/host_platform.h"

#include <fcntl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "emulated_kernel/base/log.h"
#include "tracer/guest_process.h"

namespace starry {

static uint64_t clock_ns(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return static_cast<uint64_t>(ts.tv_sec) * 1000000000 + static_cast<uint64_t>(ts.tv_nsec);
}

HostPlatform::HostPlatform() = default;

HostPlatform::~HostPlatform() {
  {
    std::lock_guard lock(work_mutex_);
    stopping_ = true;
    work_cv_.notify_all();
  }
  for (auto& t : workers_) t.join();
}

uint64_t HostPlatform::monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
uint64_t HostPlatform::realtime_ns() { return clock_ns(CLOCK_REALTIME); }
uint64_t HostPlatform::boottime_ns() { return clock_ns(CLOCK_BOOTTIME); }
uint64_t HostPlatform::realtime_coarse_ns() { return clock_ns(CLOCK_REALTIME_COARSE); }
uint64_t HostPlatform::monotonic_coarse_ns() { return clock_ns(CLOCK_MONOTONIC_COARSE); }
uint64_t HostPlatform::monotonic_raw_ns() { return clock_ns(CLOCK_MONOTONIC_RAW); }
uint64_t HostPlatform::coarse_tick_ns() {
  timespec ts{};
  clock_getres(CLOCK_MONOTONIC_COARSE, &ts);
  return static_cast<uint64_t>(ts.tv_nsec);
}

void HostPlatform::entropy(void* dst, size_t n) {
  auto* p = static_cast<char*>(dst);
  while (n != 0) {
    ssize_t r = getrandom(p, n, 0);
    if (r < 0) continue;  // EINTR
    p += r;
    n -= static_cast<size_t>(r);
  }
}

void HostPlatform::futex_wakes() {
  __atomic_fetch_add(&ChannelTable::instance().info().futex_wakes, 1, __ATOMIC_RELEASE);
}

void HostPlatform::futex_waiters(uint64_t addr, int change) {
  uint32_t& count = ChannelTable::instance().info().futex_waiters[chan::futex_bucket(addr)];
  __atomic_fetch_add(&count, static_cast<uint32_t>(change), __ATOMIC_SEQ_CST);
}

uint64_t HostPlatform::thread_cpu_ns(HostThread& t) { return static_cast<GuestThread&>(t).cpu_ns(); }

Result<Platform::NewSpace> HostPlatform::new_space(Task& owner, const Cred& cred) {
  auto made = ProcessPool::instance().take(cred);
  if (!made.ok()) return made.error();
  NewSpace s;
  s.fixed = made->first->fixed;
  made->second->set_task(&owner);
  s.space = std::move(made->first);
  s.thread = std::move(made->second);
  return s;
}

void HostPlatform::post(std::function<void()> fn) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(fn));
    posted_.store(true, std::memory_order_seq_cst);
  }
  ChannelTable::instance().wake();
}

bool HostPlatform::run_posted() {
  if (!posted()) return false;
  std::function<void()> fn;
  {
    std::lock_guard lock(mutex_);
    if (queue_.empty()) {
      posted_.store(false, std::memory_order_seq_cst);
      return false;
    }
    fn = std::move(queue_.front());
    queue_.pop_front();
    if (queue_.empty()) posted_.store(false, std::memory_order_seq_cst);
  }
  fn();
  return true;
}

void HostPlatform::run_blocking(std::function<void()> fn) {
  std::lock_guard lock(work_mutex_);
  work_.push_back(std::move(fn));
  if (idle_workers_ == 0 && workers_.size() < 16)
    workers_.emplace_back([this] { worker(); });
  else
    work_cv_.notify_one();
}

void HostPlatform::worker() {
  std::unique_lock lock(work_mutex_);
  for (;;) {
    while (work_.empty()) {
      if (stopping_) return;
      ++idle_workers_;
      work_cv_.wait(lock);
      --idle_workers_;
    }
    auto fn = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    fn();
    lock.lock();
  }
}

}  // namespace starry
