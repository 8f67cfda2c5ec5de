// signalfd(2): pending signals of the reading thread and its process, taken by read.
#pragma once

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/signal/task_signals.h"

namespace starry {

class SignalFd final : public AnonFile {
 public:
  // flags: SFD_NONBLOCK.
  SignalFd(SigSet mask, int flags);
  void set_mask(SigSet mask);  // SIGKILL and SIGSTOP are left out
  // A number of struct signalfd_siginfo. Belongs to whoever reads, not to who made it.
  Result<size_t> read(IoVec& to, int64_t* pos, int flags) override;
  bool can_write() const override { return false; }
  uint32_t poll() override;
  WaitQueue* poll_queue() override;
  std::string fdinfo() const override;

 private:
  SigSet mask_;
};

}  // namespace starry
