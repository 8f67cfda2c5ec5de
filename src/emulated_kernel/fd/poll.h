// The core of poll(2) and select(2): look at a number of files, and sleep until one of them may have
// become ready.
#pragma once

#include <poll.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "emulated_kernel/fd/fd_table.h"
#include "emulated_kernel/sync/wait.h"

namespace starry {

// The files that one call waits for. Entries of a few files live in the object itself.
class PollSet {
 public:
  explicit PollSet(size_t max_files);

  // Any of `events` (EPOLL* bits) on `file` ends the sleep. The file is kept alive.
  void watch(File& file, uint32_t events);
  // Forgets earlier wake-ups: to be called before the files are looked at.
  void rearm() { woken_ = false; }
  Wake sleep(Deadline deadline) { return sleep_until(woken_, deadline); }

 private:
  struct Entry final : WaitEntry {
    bool on_wake(uint32_t events) override;
    PollSet* set = nullptr;
    uint32_t wanted = 0;
    Ref<File> file;
  };
  std::array<Entry, 8> few_;
  std::unique_ptr<Entry[]> many_;
  Entry* next_;
  Sleeper* sleeper_ = nullptr;
  bool woken_ = false;
};

// Runs `scan` until it returns more than zero (the number of ready files), the deadline passes (0) or a
// signal is pending (ERESTARTNOHAND). `scan(set)` looks at every file, and also watches it if `set` is
// given. Deadline::at(0) looks once.
template <class Scan>
Result<int> poll_loop(size_t max_files, Deadline deadline, Scan&& scan) {
  // Most calls find something at once: they pay for no queue.
  int n = scan(nullptr);
  if (n != 0) return n;
  if (current_sleeper().signal_pending(SleepMode::interruptible)) return Error{ERESTARTNOHAND};
  if (deadline.ns == 0) return 0;
  PollSet set(max_files);
  n = scan(&set);
  while (n == 0) {
    const Wake w = set.sleep(deadline);
    set.rearm();
    n = scan(nullptr);
    if (n != 0) break;
    if (w == Wake::signal) return Error{ERESTARTNOHAND};
    if (w == Wake::timeout) break;
  }
  return n;
}

// poll(2): fills in revents of every entry.
Result<int> poll_fds(const FdTable& files, std::span<pollfd> fds, Deadline deadline);

// The three sets of select(2), one bit per descriptor in words of 64; null: not given.
struct SelectSets {
  uint64_t *in = nullptr, *out = nullptr, *ex = nullptr;
};
// select(2) over descriptors 0..n-1: replaces the sets by what is ready and returns the number of bits.
// EBADF if a given descriptor is not open. On an error the sets are unchanged.
Result<int> select_fds(const FdTable& files, int n, const SelectSets& sets, Deadline deadline);

}  // namespace starry
