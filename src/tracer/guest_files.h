// From descriptors of the host to open files of a guest process: for what starryrun was started with
// and for what `starryctl exec` sends.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "emulated_kernel/fd/file.h"
#include "tracer/host_poller.h"
#include "tracer/host_terminal.h"

namespace starry {

class DescriptorSet {
 public:
  DescriptorSet() = default;
  // Pairs of the number in the guest and the host's descriptor, which the set does not own.
  explicit DescriptorSet(std::vector<std::pair<int, int>> fds);
  const std::vector<std::pair<int, int>>& all() const { return fds_; }
  // The host's descriptor of the terminal among 0, 1, 2, or -1; `interactive`: it is standard input and
  // output both.
  int terminal() const { return terminal_; }
  bool interactive() const { return interactive_; }
  bool on_terminal(int host_fd) const;  // the same terminal as terminal()

 private:
  std::vector<std::pair<int, int>> fds_;  // by number
  int terminal_ = -1;
  bool interactive_ = false;
  uint64_t terminal_dev_ = 0;
};

struct GuestFiles {
  std::vector<Ref<File>> files;  // index = number in the guest; null = not open
  std::unique_ptr<HostTerminal> tty;
};

// Opens a character device of the guest by its path; null: let the host's serve.
using OpenDevice = std::function<Ref<File>(const char* path, int flags)>;

// The descriptors stay open. Kernel thread. StartError.
GuestFiles open_guest_files(const DescriptorSet& fds, HostPoller& poller, HostTerminal::Setup setup,
                            const OpenDevice& device);

}  // namespace starry
