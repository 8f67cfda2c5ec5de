// Pseudo-terminals: /dev/ptmx makes a master, whose other side is /dev/pts/N (pty(7), ptmx(4)).
#pragma once

#include <cstdint>
#include <string>

#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/tty/terminal.h"

namespace starry {

class PtyMaster final : public File, private TerminalDevice {
 public:
  static Result<Ref<File>> open(Task& t, int flags);
  ~PtyMaster() override;

  Result<size_t> read(IoVec& to, int64_t* pos, int flags) override;
  Result<size_t> write(IoVec& from, int64_t* pos, int flags) override;
  uint32_t poll() override;
  WaitQueue* poll_queue() override { return &queue_; }
  SysResult ioctl(Task& t, unsigned long cmd, uint64_t arg) override;
  Result<Kstat> stat() override;
  std::string describe() const override { return "/dev/ptmx"; }
  std::string fdinfo() const override { return "tty-index:\t" + std::to_string(tty_->index) + "\n"; }

 private:
  PtyMaster(unsigned index, int flags);
  bool has_input() const { return !tty_->output().empty() || (packet_ && status_ != 0); }
  void set_status(uint8_t bits, uint8_t contrary);
  SysResult open_peer(Task& t, int flags);

  void output_ready() override;
  void input_room() override;
  void output_flushed() override;
  void input_flushed() override;
  void flow_changed(bool stopped) override;
  void termios_changed(const Termios& old) override;
  void opened() override;
  void closed() override;
  bool refuses_open() const override { return locked_; }

  Ref<Terminal> tty_;
  WaitQueue queue_;
  bool locked_ = true;  // TIOCSPTLCK
  bool slave_closed_ = false;
  bool packet_ = false;  // TIOCPKT
  uint8_t status_ = 0;   // TIOCPKT_* bits that the master has not seen
};

}  // namespace starry
