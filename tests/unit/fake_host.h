// A carrier without a host thread: records what the kernel asks of it.
#pragma once

#include <vector>

#include "emulated_kernel/platform.h"

namespace starry {

class FakeHost : public HostThread {
 public:
  GuestRegs& regs() override { return regs_; }
  void resume() override { ++resumed; }
  void resume_signal(const ResumeSignal& s) override { frames.push_back(s); }
  Result<SavedFrame> load_signal_frame() override { return Error{EFAULT}; }
  Result<int64_t> run_ops(std::span<const HostOp>) override { return Error{ESRCH}; }
  void kick() override { ++kicks; }
  void bind_cpu(int) override {}
  Result<std::unique_ptr<HostThread>> clone_thread(Task&) override { return Error{EAGAIN}; }
  Result<std::pair<Ref<HostSpace>, std::unique_ptr<HostThread>>> fork(Task&) override {
    return Error{EAGAIN};
  }
  void exit(Ref<const Cred>) override {}
  int host_tid() const override { return 0; }
  bool window_read(uint64_t, void*, size_t) override { return false; }
  size_t window_prefix(uint64_t, void*, size_t) override { return 0; }
  bool window_write(uint64_t, const void*, size_t) override { return false; }

  GuestRegs regs_{};
  int resumed = 0, kicks = 0;
  std::vector<ResumeSignal> frames;
};

}  // namespace starry
