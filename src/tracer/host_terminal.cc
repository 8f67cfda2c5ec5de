#include "tracer/host_terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "emulated_kernel/tty/terminal_file.h"
#include "tracer/start_error.h"
#include "vfs/devpts/devpts.h"

namespace starry {
namespace {

constexpr uint32_t TTY_GROUP = 5;            // Debian's group "tty"
constexpr int LAST_WRITE_TIMEOUT_MS = 5000;  // for a terminal that takes nothing any more

StreamFd open_host_fd(int fd) {
  Result<StreamFd> r = StreamFd::from(fd);
  if (r && (r->flags() & O_ACCMODE) != O_RDWR) {  // `< /dev/tty`: we want to write there as well
    Result<StreamFd> both = r->reopen(O_RDWR);
    if (both) return std::move(both).value();
  }
  if (!r) start_error("cannot use the terminal: {}", strerror(r.code()));
  return std::move(r).value();
}

WinSize host_size(int fd) {
  winsize w{};
  if (ioctl(fd, TIOCGWINSZ, &w) != 0) return {};
  return {w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel};
}

// Changing modes from the background would stop us: not when we are giving the terminal back.
void set_modes(int fd, const Termios& modes) {
  sigset_t ttou, old;
  sigemptyset(&ttou);
  sigaddset(&ttou, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &ttou, &old);
  ioctl(fd, TCSETS2, &modes);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

}  // namespace

HostTerminal::HostTerminal(HostPoller& poller, int fd, Setup setup)
    : poller_(poller), fd_(open_host_fd(fd)), setup_(std::move(setup)) {
  if (ioctl(fd_.get(), TCGETS2, &saved_) != 0)
    start_error("cannot read the terminal's modes: {}", strerror(errno));
  tty_ = make_ref<Terminal>(free_terminal_index(), static_cast<TerminalDevice*>(this));
  tty_->node = devpts_add(tty_->index, tty_->rdev(), setup_.uid, TTY_GROUP);
  tty_->set_size(host_size(fd_.get()));
  tty_->set_termios(saved_);  // what the guest finds is what the user has
  tty_->ldisc().set_newline_by_device(true);
  watch_ = poller_.add(fd_.get(), [this](uint32_t events) { on_events(events); });
  if (setup_.eager && setup_.in_foreground()) begin_raw();
}

HostTerminal::~HostTerminal() {
  finish();
  if (watch_ != 0) poller_.remove(watch_);
  devpts_remove(tty_->index);
  tty_->detach_device();
}

Ref<File> HostTerminal::open(int flags) {
  return make_ref<TerminalFile>(tty_, flags & (O_ACCMODE | O_NONBLOCK));
}

void HostTerminal::begin_raw() {
  if (raw_ || gone_ || finished_) return;
  Termios modes = saved_;
  modes.iflag &=
      ~static_cast<uint32_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXOFF);
  modes.oflag &= ~static_cast<uint32_t>(OPOST);
  modes.lflag &= ~static_cast<uint32_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  modes.cc[VMIN] = 1;
  modes.cc[VTIME] = 0;
  if (setup_.switched) setup_.switched(true);
  set_modes(fd_.get(), modes);
  raw_ = true;
  tty_->ldisc().set_newline_by_device(false);
  poller_.arm(watch_, EPOLLIN);
}

void HostTerminal::end_raw() {
  if (!raw_) return;
  raw_ = false;
  set_modes(fd_.get(), saved_);
  tty_->ldisc().set_newline_by_device(true);
  if (setup_.switched) setup_.switched(false);
}

void HostTerminal::resized() {
  if (!gone_) tty_->set_size(host_size(fd_.get()));
}

// While we were stopped, the shell has put its own modes in place.
void HostTerminal::foreground_changed() {
  const bool wanted = raw_ || setup_.eager;
  raw_ = false;
  if (wanted && setup_.in_foreground()) begin_raw();
  resized();
}

void HostTerminal::hangup() {
  if (gone_) return;
  gone_ = true;
  tty_->output().clear();
  tty_->hangup();
}

void HostTerminal::on_events(uint32_t events) {
  if ((events & EPOLLIN) != 0) read_host();
  if ((events & EPOLLOUT) != 0) output_ready();
}

void HostTerminal::read_host() {
  while (raw_ && !gone_ && surplus_.empty()) {
    char buffer[4096];
    const Result<size_t> n = fd_.read(buffer, sizeof buffer);
    if (!n && n.code() == EAGAIN) break;
    if (!n || n.value() == 0) {  // EIO: no terminal any more
      hangup();
      return;
    }
    const size_t taken = tty_->input({buffer, n.value()});
    surplus_.assign(buffer + taken, n.value() - taken);
  }
  if (raw_ && !gone_ && surplus_.empty()) poller_.arm(watch_, EPOLLIN);
}

void HostTerminal::input_room() {
  if (surplus_.empty()) return;
  const size_t taken = tty_->input(surplus_);
  surplus_.erase(0, taken);
  if (surplus_.empty() && raw_) poller_.arm(watch_, EPOLLIN);
}

void HostTerminal::output_ready() {
  if (writing_ || gone_) return;
  writing_ = true;
  std::string& output = tty_->output();
  bool took = false;
  while (!output.empty()) {
    const Result<size_t> n = fd_.write(output.data(), output.size());
    if (!n && n.code() == EAGAIN) {
      poller_.arm(watch_, EPOLLOUT);
      break;
    }
    // A terminal that takes nothing any more: what programs write is lost, as it is natively.
    output.erase(0, n ? n.value() : output.size());
    took = true;
  }
  if (took) tty_->took_output();
  writing_ = false;
}

// Ctrl-C drops what has not been shown: that is in the host's terminal by now.
void HostTerminal::output_flushed() {
  if (raw_) ioctl(fd_.get(), TCFLSH, TCOFLUSH);
}

void HostTerminal::input_wanted(bool now) {
  if (raw_ || gone_ || finished_) return;
  if (setup_.in_foreground())
    begin_raw();
  else if (now && setup_.background_read)
    setup_.background_read();
}

void HostTerminal::finish() {
  std::string& output = tty_->output();
  while (!gone_ && !output.empty()) {
    const Result<size_t> n = fd_.write(output.data(), output.size());
    if (n) {
      output.erase(0, n.value());
    } else {
      pollfd p{fd_.get(), POLLOUT, 0};
      if (n.code() != EAGAIN || ::poll(&p, 1, LAST_WRITE_TIMEOUT_MS) <= 0) break;
    }
  }
  end_raw();
  finished_ = true;
}

}  // namespace starry
