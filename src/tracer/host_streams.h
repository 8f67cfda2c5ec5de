// Standard input, output and error of starryrun as the guest's open files, when they are not terminals:
// pipes, regular files, sockets, /dev/null. What fstat(2), lseek(2) and F_GETFL say is what the host
// says. Nothing is buffered: when write(2) returns in the guest, the host has the data.
#pragma once

#include <string>

#include "emulated_kernel/fd/file.h"
#include "tracer/host_poller.h"
#include "tracer/stream_fd.h"

namespace starry {

class HostStream final : public File {
 public:
  HostStream(HostPoller& poller, StreamFd fd);
  ~HostStream() override;

  Result<size_t> read(IoVec& to, int64_t* pos, int flags) override;
  Result<size_t> write(IoVec& from, int64_t* pos, int flags) override;
  Result<int64_t> seek(int64_t offset, int whence) override;
  uint32_t poll() override;
  WaitQueue* poll_queue() override { return watch_ != 0 ? &queue_ : nullptr; }
  SysResult ioctl(Task& t, unsigned long cmd, uint64_t arg) override;
  Result<Kstat> stat() override;
  Result<MapBacking> map_backing(bool shared, int prot) override;
  Result<void> truncate(int64_t size) override;
  Result<void> fsync(bool data_only) override;
  Result<Ref<File>> reopen(int flags) override;
  std::string describe() const override;

 private:
  // Waits until the host says EPOLLIN or EPOLLOUT; ERESTARTSYS.
  Result<void> wait_for(uint32_t events);

  HostPoller& poller_;
  StreamFd fd_;
  WaitQueue queue_;
  uint32_t seen_ = 0;  // events that the host has reported since we last waited
  uint64_t watch_;
};

// The guest's file for a descriptor of ours, which stays open. Terminals: host_terminal.h. EBADF.
Result<Ref<File>> host_stream(HostPoller& poller, int fd);

}  // namespace starry
