#include "emulated_kernel/tty/terminal.h"

#include <sys/epoll.h>
#include <sys/sysmacros.h>

#include <csignal>
#include <map>

#include "emulated_kernel/signal/signal.h"

namespace starry {
namespace {

std::map<unsigned, Terminal*>& terminals() {
  static std::map<unsigned, Terminal*> map;
  return map;
}

}  // namespace

Terminal* find_terminal(unsigned index) {
  auto it = terminals().find(index);
  return it == terminals().end() ? nullptr : it->second;
}

unsigned free_terminal_index() {
  unsigned n = 0;
  for (const auto& [index, terminal] : terminals()) {
    if (index != n) break;
    ++n;
  }
  return n;
}

Terminal::Terminal(unsigned number, TerminalDevice* dev) : index(number), device_(dev) {
  terminals()[index] = this;
}

Terminal::~Terminal() {
  clear_session();
  terminals().erase(index);
}

uint64_t Terminal::rdev() const { return makedev(UNIX98_PTY_SLAVE_MAJOR, index); }

void Terminal::set_termios(const Termios& t) {
  const Termios old = termios();
  ldisc_.set_termios(t);
  if (device_ != nullptr) device_->termios_changed(old);
  process_input();
}

void Terminal::set_size(const WinSize& size) {
  if (size == size_) return;
  size_ = size;
  signal_foreground(SIGWINCH);
}

size_t Terminal::input(std::string_view bytes) {
  const size_t room = RAW_INPUT_LIMIT - std::min(RAW_INPUT_LIMIT, raw_input_.size());
  const size_t n = std::min(room, bytes.size());
  raw_input_.append(bytes.substr(0, n));
  process_input();
  return n;
}

void Terminal::process_input() {
  // Echo may wake a device that offers more input right away: that waits its turn in raw_input_.
  if (processing_ || raw_input_.empty()) return;
  processing_ = true;
  const bool was_full = input_full();
  for (size_t n = 1; n != 0 && !raw_input_.empty();) {
    n = ldisc_.receive(raw_input_);
    raw_input_.erase(0, n);
  }
  processing_ = false;
  if (was_full && !input_full() && device_ != nullptr) device_->input_room();
}

void Terminal::made_room() { process_input(); }

void Terminal::flush_input() {
  raw_input_.clear();
  ldisc_.flush_input();
  if (device_ != nullptr) {
    device_->input_flushed();
    device_->input_room();
  }
}

void Terminal::hangup() {
  Ref<Terminal> keep(this);
  if (session_) {
    session_->old_foreground = foreground_;
    if (ThreadGroup* leader = find_group(session_->sid); leader != nullptr && !leader->zombie) {
      (void)send_signal(*leader, siginfo_kernel(SIGHUP));
      (void)send_signal(*leader, siginfo_kernel(SIGCONT));
    }
    clear_session();
  }
  ++generation_;
  raw_input_.clear();
  ldisc_.flush_input();
  ldisc_.set_stopped(false, true);
  const bool was_open = opens_ > 0;
  opens_ = 0;  // files of the old generation no longer count
  if (was_open && device_ != nullptr) device_->closed();
  queue_.wake_all(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM);
}

void Terminal::detach_device() {
  device_ = nullptr;
  hangup();
}

void Terminal::file_opened() {
  ++opens_;
  if (device_ != nullptr) device_->opened();
}

void Terminal::file_closed() {
  if (--opens_ == 0 && device_ != nullptr) device_->closed();
}

void Terminal::set_session(Ref<Session> s, pid_t pgid) {
  clear_session();
  if (s->tty != nullptr) s->tty->clear_session();
  s->tty = this;
  session_ = std::move(s);
  foreground_ = pgid;
}

void Terminal::clear_session() {
  if (session_) session_->tty = nullptr;
  session_.reset();
  foreground_ = 0;
}

void Terminal::signal_foreground(int signo) {
  if (foreground_ > 0) send_signal_pgrp(foreground_, siginfo_kernel(signo));
}

void Terminal::input_ready() { queue_.wake_all(EPOLLIN | EPOLLRDNORM); }

void Terminal::output_ready() {
  if (device_ != nullptr) device_->output_ready();
  queue_.wake_all(EPOLLOUT | EPOLLWRNORM);
}

void Terminal::output_flushed() {
  if (device_ != nullptr) device_->output_flushed();
}

void Terminal::flow_changed(bool stopped) {
  if (device_ != nullptr) device_->flow_changed(stopped);
}

}  // namespace starry
