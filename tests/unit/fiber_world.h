// Kernel code on fibers with a manual clock: run() takes some pieces of blocking kernel code, runs them
// side by side and moves the clock on to the next timer whenever all of them sleep.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>

#include "emulated_kernel/entry/fibers.h"
#include "emulated_kernel/platform.h"
#include "emulated_kernel/sync/timer.h"
#include "emulated_kernel/sync/wait.h"

namespace starry {

class ManualClock final : public Platform {
 public:
  uint64_t now = 1'000'000'000'000;
  uint64_t realtime_offset = 1'700'000'000'000'000'000;
  uint64_t monotonic_ns() override { return now; }
  uint64_t realtime_ns() override { return now + realtime_offset; }
  void entropy(void* dst, size_t n) override { std::fill_n(static_cast<uint8_t*>(dst), n, 0x5a); }
  Result<NewSpace> new_space(Task&, const Cred&) override { return Error{ENOMEM}; }
  void post(std::function<void()> fn) override { fn(); }
  void run_blocking(std::function<void()> fn) override { fn(); }
};

class FiberWorld : public ::testing::Test {
 protected:
  FiberWorld() { set_platform(&clock); }

  // Starts the pieces in order, each until it sleeps, and comes back when all have ended (or sleep
  // forever: a failure).
  void run(std::initializer_list<std::function<void()>> pieces) {
    size_t left = pieces.size();
    for (const auto& piece : pieces) {
      kthread_run([&left, piece] {
        piece();
        --left;
      });
    }
    fibers_run([&] {
      if (left == 0) return fibers_quit();
      const uint64_t next = timer_queue().next_deadline();
      if (next == UINT64_MAX) {
        ADD_FAILURE() << left << " fibers sleep forever";
        return fibers_quit();
      }
      clock.now = std::max(clock.now, next);
      timer_queue().fire(clock.now);
    });
  }
  // Lets the others run until they sleep, then goes on after `ns`.
  void pause(uint64_t ns = 1) {
    WaitQueue q;
    EXPECT_EQ(wait_until(q, Deadline::after(ns), [] { return false; }), Wake::timeout);
  }

  ManualClock clock;
};

// What a kernel buffer operation returned: bytes, or a negative errno.
template <class T>
int64_t value_of(const Result<T>& r) {
  return r.ok() ? static_cast<int64_t>(r.value()) : -r.code();
}
inline int64_t value_of(const Result<void>& r) { return -r.code(); }

}  // namespace starry
