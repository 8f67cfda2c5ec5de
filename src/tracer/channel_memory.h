// The channels of one guest process: a file that it and the supervisor map. Most processes use one channel
// and little of it; when such a process is gone its file serves the next child of the same parent, since to
// make, map and unmap one takes as long as the host's fork. Not those of others: the parent has had the
// descriptor.
#pragma once

#include <memory>
#include <vector>

#include "tracer/channel.h"
#include "tracer/owned_fd.h"

namespace starry {

class ChannelMemory {
 public:
  ChannelMemory() = default;
  // Empty with errno set if it cannot be made.
  static ChannelMemory make();
  ChannelMemory(ChannelMemory&& o) noexcept : fd_(std::move(o.fd_)), at_(std::exchange(o.at_, nullptr)) {}
  ChannelMemory& operator=(ChannelMemory&& o) noexcept;
  ~ChannelMemory();
  explicit operator bool() const { return at_ != nullptr; }
  int fd() const { return fd_.get(); }
  chan::Channel* channel(uint32_t slot) const {
    return reinterpret_cast<chan::Channel*>(at_ + slot * chan::CHANNEL_SIZE);
  }
  // Makes it as new, which is false if more than the channel of `slot` was used.
  bool clear(uint32_t slot);

 private:
  OwnedFd fd_;
  uint8_t* at_ = nullptr;
};

// What children of one process have left for the next one.
using SpareChannels = std::vector<ChannelMemory>;

// Of processes that have been told to end, by host pid, until they have. On the kernel thread.
class LeftChannels {
 public:
  static LeftChannels& instance();
  void add(int pid, ChannelMemory memory, uint32_t slot, std::shared_ptr<SpareChannels> to);
  void process_gone(int pid);
  // The same at once, for a process that is gone.
  static void reuse(ChannelMemory memory, uint32_t slot, SpareChannels& to);

 private:
  struct Left {
    int pid;
    uint32_t slot;
    ChannelMemory memory;
    std::shared_ptr<SpareChannels> to;
  };
  std::vector<Left> left_;
};

}  // namespace starry
