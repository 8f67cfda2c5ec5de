#include "emulated_kernel/tty/pty.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include <csignal>

#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/sync/wait.h"
#include "emulated_kernel/tty/terminal_file.h"
#include "vfs/devpts/devpts.h"

namespace starry {
namespace {

constexpr unsigned MAX_PTYS = 4096;   // /proc/sys/kernel/pty/max
constexpr size_t MASTER_READ = 4095;  // most that one read gets, as from N_TTY's buffer

}  // namespace

PtyMaster::PtyMaster(unsigned index, int flags) : File(flags), tty_(new Terminal(index, this)) {}

Result<Ref<File>> PtyMaster::open(Task& t, int flags) {
  const unsigned index = free_terminal_index();
  if (index >= MAX_PTYS) return Error{ENOSPC};
  Ref<PtyMaster> master(new PtyMaster(index, flags));
  master->tty_->node = devpts_add(index, master->tty_->rdev(), t.cred->fsuid, t.cred->fsgid);
  return Ref<File>(master);
}

PtyMaster::~PtyMaster() {
  devpts_remove(tty_->index);
  tty_->detach_device();
}

Result<size_t> PtyMaster::read(IoVec& to, int64_t* /*pos*/, int flags) {
  if (to.empty()) return 0;
  while (!has_input()) {
    if (slave_closed_) return Error{EIO};
    if (nonblocking() || (flags & RWF_NOWAIT) != 0) return Error{EAGAIN};
    TRY(wait_event(queue_, Deadline::never(), [this] { return has_input() || slave_closed_; }));
  }
  size_t prefix = 0;
  if (packet_) {
    const uint8_t status = status_;
    status_ = 0;
    TRY(to.copy_out(&status, 1));
    if (status != TIOCPKT_DATA) return 1;
    prefix = 1;
  }
  std::string& output = tty_->output();
  const size_t n = std::min({output.size(), to.remaining(), MASTER_READ});
  const size_t copied = n == 0 ? 0 : TRY(to.copy_out(output.data(), n));
  output.erase(0, copied);
  tty_->took_output();
  return prefix + copied;
}

Result<size_t> PtyMaster::write(IoVec& from, int64_t* /*pos*/, int flags) {
  size_t total = 0;
  while (!from.empty()) {
    char chunk[2048];
    const Result<size_t> peeked = from.peek_in(chunk, std::min(sizeof chunk, from.remaining()));
    if (!peeked) return total != 0 ? Result<size_t>(total) : peeked.error();
    const size_t n = tty_->input({chunk, peeked.value()});
    from.advance(n);
    total += n;
    if (n == peeked.value()) continue;
    Error why{EAGAIN};
    if (!nonblocking() && (flags & RWF_NOWAIT) == 0) {
      if (wait_until(queue_, Deadline::never(), [this] { return !tty_->input_full(); }) == Wake::event)
        continue;
      why = Error{ERESTARTSYS};
    }
    return total != 0 ? Result<size_t>(total) : why;
  }
  return total;
}

uint32_t PtyMaster::poll() {
  uint32_t events = 0;
  if (has_input()) events |= EPOLLIN | EPOLLRDNORM;
  if (packet_ && status_ != 0) events |= EPOLLPRI;
  if (slave_closed_) events |= EPOLLHUP;
  if (!tty_->input_full()) events |= EPOLLOUT | EPOLLWRNORM;
  return events;
}

SysResult PtyMaster::ioctl(Task& t, unsigned long cmd, uint64_t arg) {
  auto put_int = [&](int32_t v) -> SysResult {
    TRY(t.mem().put(UserPtr<int32_t>{arg}, v));
    return 0;
  };
  switch (cmd) {
    case TIOCGPTN:
      return put_int(static_cast<int32_t>(tty_->index));
    case TIOCSPTLCK:
      locked_ = TRY(t.mem().get(UserPtr<int32_t>{arg})) != 0;
      return 0;
    case TIOCGPTLCK:
      return put_int(locked_ ? 1 : 0);
    case TIOCGPTPEER:
      return open_peer(t, static_cast<int>(arg));
    case TIOCPKT: {
      const bool on = TRY(t.mem().get(UserPtr<int32_t>{arg})) != 0;
      if (on && !packet_) status_ = 0;
      packet_ = on;
      return 0;
    }
    case TIOCGPKT:
      return put_int(packet_ ? 1 : 0);
    case TIOCSIG: {
      const int signo = static_cast<int>(arg);
      if (signo < 1 || signo > 64) return Error{EINVAL};
      if (tty_->foreground() > 0) send_signal_pgrp(tty_->foreground(), siginfo_kernel(signo));
      return 0;
    }
    default:
      return tty_ioctl(t, *tty_, *this, true, cmd, arg);
  }
}

SysResult PtyMaster::open_peer(Task& t, int flags) {
  Ref<File> slave = TRY(open_terminal(t, *tty_, flags & ~O_CLOEXEC));
  return TRY(t.files->install(std::move(slave), (flags & O_CLOEXEC) != 0, t.rlimit(RLIMIT_NOFILE)));
}

Result<Kstat> PtyMaster::stat() { return devpts_ptmx()->stat(); }

void PtyMaster::set_status(uint8_t bits, uint8_t contrary) {
  if (!packet_) return;
  status_ = static_cast<uint8_t>((status_ & ~contrary) | bits);
  queue_.wake_all(EPOLLIN | EPOLLPRI | EPOLLRDNORM);
}

void PtyMaster::output_ready() {
  if (!tty_->output().empty()) queue_.wake_all(EPOLLIN | EPOLLRDNORM);
}
void PtyMaster::input_room() { queue_.wake_all(EPOLLOUT | EPOLLWRNORM); }
void PtyMaster::output_flushed() { set_status(TIOCPKT_FLUSHWRITE, 0); }
void PtyMaster::input_flushed() { set_status(TIOCPKT_FLUSHREAD, 0); }

void PtyMaster::flow_changed(bool stopped) {
  if (stopped)
    set_status(TIOCPKT_STOP, TIOCPKT_START);
  else
    set_status(TIOCPKT_START, TIOCPKT_STOP);
}

// Whether ^S and ^Q are the usual flow control is told to the master in packet mode.
void PtyMaster::termios_changed(const Termios& old) {
  auto usual = [](const Termios& t) { return t.ixon() && t.cc[VSTOP] == 023 && t.cc[VSTART] == 021; };
  const Termios& now = tty_->termios();
  if (now.extproc() != old.extproc()) set_status(TIOCPKT_IOCTL, 0);
  if (usual(now) == usual(old)) return;
  if (usual(now))
    set_status(TIOCPKT_DOSTOP, TIOCPKT_NOSTOP);
  else
    set_status(TIOCPKT_NOSTOP, TIOCPKT_DOSTOP);
}

void PtyMaster::opened() { slave_closed_ = false; }

void PtyMaster::closed() {
  slave_closed_ = true;
  queue_.wake_all(EPOLLIN | EPOLLHUP | EPOLLRDNORM);
}

}  // namespace starry
