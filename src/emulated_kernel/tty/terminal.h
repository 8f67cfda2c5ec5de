// A terminal (struct tty_struct): line discipline, window size, the session that it controls and the
// process group in its foreground. Programs use it through TerminalFile; behind it is a device: the
// master of a pseudo-terminal (pty.h) or the host's terminal (tracer/host_terminal.h).
// tty_ioctl(4), termios(3), credentials(7).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/sync/wait_queue.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/tty/line_discipline.h"
#include "vfs/inode.h"

namespace starry {

// What is behind a terminal. Calls come on the kernel thread and must not sleep.
class TerminalDevice {
 public:
  virtual ~TerminalDevice() = default;
  virtual void output_ready() = 0;  // Terminal::output() has something, or has room again
  virtual void input_room() = 0;    // Terminal::input() accepts again
  virtual void output_flushed() {}
  virtual void input_flushed() {}
  virtual void flow_changed(bool /*stopped*/) {}
  virtual void termios_changed(const Termios& /*old*/) {}
  // A program polls the terminal for input, or (`now`) reads from it or changes its modes.
  virtual void input_wanted(bool /*now*/) {}
  virtual void opened() {}
  virtual void closed() {}                             // the last TerminalFile is gone
  virtual bool refuses_open() const { return false; }  // TIOCSPTLCK
  // Whether tcdrain(3) waits for output() to get empty (a pty's output counts as sent at once).
  virtual bool has_drain() const { return false; }
};

// Major number of the slaves of pseudo-terminals (devices.txt of the kernel).
inline constexpr unsigned UNIX98_PTY_SLAVE_MAJOR = 136;

class Terminal final : public RefCounted, private LineDiscipline::Client {
 public:
  // `index`: it is /dev/pts/INDEX. The terminal is found by that number while it lives.
  Terminal(unsigned index, TerminalDevice* device);
  ~Terminal() override;

  const unsigned index;
  uint64_t rdev() const;
  std::string path() const { return "/dev/pts/" + std::to_string(index); }

  LineDiscipline& ldisc() { return ldisc_; }
  const Termios& termios() const { return ldisc_.termios(); }
  void set_termios(const Termios& t);
  const WinSize& size() const { return size_; }
  void set_size(const WinSize& size);  // SIGWINCH to the foreground if it differs

  // --- The device's side ---
  TerminalDevice* device() const { return device_; }
  // Characters from the device. Returns how many were taken; after fewer, input_room() will come.
  size_t input(std::string_view bytes);
  bool input_full() const { return raw_input_.size() >= RAW_INPUT_LIMIT; }
  std::string& output() { return ldisc_.output(); }
  void took_output() { ldisc_.took_output(); }
  // The line is dead: the session is told, open files are cut off (vhangup(2)).
  void hangup();
  void detach_device();  // hangup for good: opening fails with EIO from now on

  // --- The programs' side ---
  void made_room();  // after ldisc().read()
  void flush_input();
  WaitQueue& queue() { return queue_; }
  uint64_t generation() const { return generation_; }  // changes with every hangup
  void file_opened();
  void file_closed();
  bool in_use() const { return opens_ > 0; }

  // --- Job control (job_control.h) ---
  Session* session() const { return session_.get(); }
  pid_t foreground() const { return foreground_; }
  void set_foreground(pid_t pgid) { foreground_ = pgid; }
  void set_session(Ref<Session> s, pid_t pgid);
  void clear_session();

  bool exclusive = false;  // TIOCEXCL
  Ref<Inode> node;         // /dev/pts/INDEX

 private:
  static constexpr size_t RAW_INPUT_LIMIT = 65536;

  void signal_foreground(int signo) override;
  void input_ready() override;
  void output_ready() override;
  void output_flushed() override;
  void flow_changed(bool stopped) override;
  void process_input();

  LineDiscipline ldisc_{*this};
  TerminalDevice* device_;
  WinSize size_;
  WaitQueue queue_;
  std::string raw_input_;  // accepted from the device, not yet through the line discipline
  bool processing_ = false;
  Ref<Session> session_;
  pid_t foreground_ = 0;
  int opens_ = 0;
  uint64_t generation_ = 0;
};

Terminal* find_terminal(unsigned index);
unsigned free_terminal_index();

// What /dev/console is; null: ENODEV.
void set_console(Terminal* t);

// Registers /dev/tty, /dev/console, /dev/ptmx, /dev/pts/* and devpts. Once, before the first mount.
void tty_init();

}  // namespace starry
