// A terminal of the host as a terminal of the guest. The guest's line discipline does all the work: the
// host's one is switched to raw mode, so Ctrl-C travels as a character and becomes SIGINT in the guest.
//
// Not always at once: when standard input or output is something else (`starryrun ls | less`), others
// may be using the terminal. Then the switch waits until the guest reads from the terminal or changes its
// modes. And it needs us to be in the terminal's foreground, as any program that reads from it.
#pragma once

#include <functional>
#include <string>

#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/tty/terminal.h"
#include "tracer/host_poller.h"
#include "tracer/stream_fd.h"

namespace starry {

class HostTerminal final : private TerminalDevice {
 public:
  struct Setup {
    bool eager = true;                       // raw mode from the start
    std::function<bool()> in_foreground;     // may we read from the host's terminal?
    std::function<void()> background_read;   // the guest wants to although we may not; may be null
    std::function<void(bool raw)> switched;  // raw mode begins or ends; may be null
    uint32_t uid = 0;                        // owner of the guest's device node
  };
  // `fd` is a terminal; it stays open. Throws StartError.
  HostTerminal(HostPoller& poller, int fd, Setup setup);
  ~HostTerminal() override;

  Terminal& terminal() { return *tty_; }
  Ref<File> open(int flags);  // flags: access mode, O_NONBLOCK
  void resized();             // SIGWINCH came: take over the host's size
  void foreground_changed();  // SIGCONT: look again
  void hangup();              // the host's terminal is gone
  // Writes what the guest's programs have written, waiting for a slow terminal but not for a dead one,
  // and gives the terminal back in the state we found it, for good.
  void finish();

 private:
  void output_ready() override;
  void input_room() override;
  void output_flushed() override;
  void input_wanted(bool now) override;
  bool has_drain() const override { return true; }

  void on_events(uint32_t events);
  void read_host();
  void begin_raw();
  void end_raw();

  HostPoller& poller_;
  StreamFd fd_;
  Setup setup_;
  Ref<Terminal> tty_;
  uint64_t watch_ = 0;
  Termios saved_;
  std::string surplus_;  // read from the host, not yet taken by the guest's terminal
  bool raw_ = false, writing_ = false, gone_ = false, finished_ = false;
};

}  // namespace starry
