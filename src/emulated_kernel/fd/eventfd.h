// eventfd(2): a 64-bit counter as a file.
#pragma once

#include "emulated_kernel/fd/anon_inode.h"

namespace starry {

class EventFd final : public AnonFile {
 public:
  // flags: EFD_SEMAPHORE, EFD_NONBLOCK.
  EventFd(uint64_t count, int flags);
  Result<size_t> read(IoVec& to, int64_t* pos, int flags) override;
  Result<size_t> write(IoVec& from, int64_t* pos, int flags) override;
  uint32_t poll() override;
  WaitQueue* poll_queue() override { return &queue_; }
  std::string fdinfo() const override;

 private:
  const bool semaphore_;
  const uint64_t id_;
  uint64_t count_;
  WaitQueue queue_;
};

}  // namespace starry
