// Gives a host terminal its modes back when the program that changed them dies without a chance to do so
// itself (SIGKILL): a small process that waits for that.
#pragma once

#include "emulated_kernel/tty/termios.h"

namespace starry {

class TerminalGuard {
 public:
  // Forks; call before there are threads. `fd`: the terminal, `modes`: what to restore.
  TerminalGuard(int fd, const Termios& modes);
  // Orderly end: the guard goes away without touching the terminal.
  ~TerminalGuard();
  TerminalGuard(const TerminalGuard&) = delete;
  TerminalGuard& operator=(const TerminalGuard&) = delete;
  // The terminal has been switched, so there is something to restore.
  void engage();
  void release();

 private:
  void tell(char command) const;
  int pipe_ = -1;
  int pid_ = -1;
};

}  // namespace starry
