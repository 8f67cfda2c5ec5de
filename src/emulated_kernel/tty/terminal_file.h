// An open terminal: what programs hold. tty_io.c, n_tty.c (reading and writing), termios(3).
#pragma once

#include <string>

#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/tty/terminal.h"

namespace starry {

class TerminalFile final : public File {
 public:
  TerminalFile(Ref<Terminal> tty, int flags);
  ~TerminalFile() override;

  Result<size_t> read(IoVec& to, int64_t* pos, int flags) override;
  Result<size_t> write(IoVec& from, int64_t* pos, int flags) override;
  uint32_t poll() override;
  WaitQueue* poll_queue() override { return &tty_->queue(); }
  SysResult ioctl(Task& t, unsigned long cmd, uint64_t arg) override;
  Result<Kstat> stat() override;
  std::string describe() const override { return tty_->path(); }
  Result<Ref<File>> reopen(int flags) override;

  Terminal& terminal() const { return *tty_; }
  bool hung_up() const { return generation_ != tty_->generation(); }

 private:
  Result<size_t> wait_and_read(IoVec& to, int flags);

  Ref<Terminal> tty_;
  uint64_t generation_;
};

// open(2) of a terminal device by the running task. EIO, EBUSY.
Result<Ref<File>> open_terminal(Task& t, Terminal& tty, int flags);

// ioctl(2) on a terminal; `from_master`: through the master of the pair, which has its own commands
// and falls back to this. ENOTTY for commands that terminals do not have.
SysResult tty_ioctl(Task& t, Terminal& tty, File& file, bool from_master, unsigned long cmd, uint64_t arg);

}  // namespace starry
