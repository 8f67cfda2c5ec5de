// timerfd_create(2): a timer whose expirations are read from a file.
#pragma once

#include <boost/intrusive/list.hpp>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/sync/timer.h"

namespace starry {

class TimerFd final
    : public AnonFile,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  // clock: CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME or an _ALARM one. flags: TFD_NONBLOCK.
  TimerFd(int clock, int flags);

  // timerfd_settime(2) with a valid value; flags: TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET. ECANCELED:
  // it was set, but the clock had jumped since the last look.
  Result<void> set(const itimerspec& value, int flags);
  itimerspec get();
  int clock() const { return clock_; }

  Result<size_t> read(IoVec& to, int64_t* pos, int flags) override;
  bool can_write() const override { return false; }
  uint32_t poll() override;
  WaitQueue* poll_queue() override { return &queue_; }
  std::string fdinfo() const override;

  // CLOCK_REALTIME jumped (clock_settime(2)): reads of timers that asked for it fail with ECANCELED,
  // and absolute ones expire by the new time.
  static void clock_was_set();

 private:
  uint64_t now() const;  // of the clock that expiry_ is measured by
  void start();          // arms timer_ for expiry_, or expires at once
  void expire();
  void settle();        // an expiry that the kernel loop has not come to yet counts now
  uint64_t catch_up();  // after an expiry: moves a periodic timer past now; intervals passed
  bool take_cancel();

  const int clock_;
  int settime_flags_ = 0;
  bool by_realtime_ = false;  // absolute on CLOCK_REALTIME; relative times ignore clock changes
  uint64_t expiry_ = 0;       // 0: disarmed
  uint64_t interval_ = 0;
  uint64_t ticks_ = 0;    // expirations not read yet
  bool expired_ = false;  // and a periodic timer waits to be moved on by who looks
  bool cancel_on_set_ = false, canceled_ = false;
  Timer timer_;
  WaitQueue queue_;
};

}  // namespace starry
