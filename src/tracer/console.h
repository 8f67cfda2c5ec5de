// The descriptors that starryrun was started with, as the first process of the guest gets them.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "emulated_kernel/fd/file.h"
#include "tracer/host_poller.h"
#include "tracer/host_terminal.h"
#include "tracer/terminal_guard.h"

namespace starry {

// Which descriptors are ours to hand on. Look before opening anything.
class InheritedFds {
 public:
  InheritedFds();
  const std::vector<int>& all() const { return fds_; }  // open, no close-on-exec, usable by a guest
  // The terminal among 0, 1, 2, or -1; `interactive`: it is both standard input and output.
  int terminal() const { return terminal_; }
  bool interactive() const { return interactive_; }
  bool on_terminal(int fd) const;  // the same terminal as terminal()
  // Lets go of what the guest has by now: the other end of a pipe must see when the guest closes it.
  // Standard error stays, for messages.
  void release();

 private:
  std::vector<int> fds_;
  int terminal_ = -1;
  bool interactive_ = false;
  uint64_t terminal_dev_ = 0;
};

class Console {
 public:
  explicit Console(InheritedFds& fds);  // forks the guard of the terminal: before there are threads
  ~Console();

  // Opens all descriptors for the guest; index = number, null = not open. `device` opens a character
  // device of the guest by its path (null: let the host's serve). Kernel thread. StartError.
  using OpenDevice = std::function<Ref<File>(const char* path, int flags)>;
  std::vector<Ref<File>> open_files(HostPoller& poller, uint32_t uid, const OpenDevice& device);
  Terminal* terminal() const { return tty_ ? &tty_->terminal() : nullptr; }
  HostTerminal* host_terminal() const { return tty_.get(); }
  // The guest no longer needs it: what it wrote is shown, the terminal is as we found it.
  void finish();

 private:
  InheritedFds& fds_;
  std::unique_ptr<TerminalGuard> guard_;
  std::unique_ptr<HostTerminal> tty_;
};

// One line to standard error; right on a terminal in raw mode too.
void host_message(const std::string& text);

}  // namespace starry
