// The descriptors that starryrun was started with, as the first process of the guest gets them, and the
// terminal among them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tracer/guest_files.h"
#include "tracer/terminal_guard.h"

namespace starry {

class Console {
 public:
  // Looks at what is open: before anything else opens a descriptor. Forks the guard of the terminal:
  // before there are threads.
  Console();
  ~Console();

  // Opens all descriptors for the guest and lets go of our own, except standard error: the other end
  // of a pipe must see when the guest closes it. Kernel thread, once. StartError.
  std::vector<Ref<File>> open_files(HostPoller& poller, uint32_t uid, const OpenDevice& device);
  HostTerminal* host_terminal() const { return tty_.get(); }  // null: none
  // The guest no longer needs it: what it wrote is shown, the terminal is as we found it.
  void finish();

 private:
  void release_fds();

  DescriptorSet fds_;
  std::unique_ptr<TerminalGuard> guard_;
  std::unique_ptr<HostTerminal> tty_;
  int job_control_fd_ = -1;
};

// One line to standard error; right on a terminal in raw mode too.
void host_message(const std::string& text);

}  // namespace starry
