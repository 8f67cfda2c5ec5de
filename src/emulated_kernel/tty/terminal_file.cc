#include "emulated_kernel/tty/terminal_file.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include <csignal>

#include "emulated_kernel/sync/wait.h"
#include "emulated_kernel/tty/job_control.h"

namespace starry {
namespace {

constexpr uint64_t VTIME_UNIT_NS = 100'000'000;
constexpr size_t WAKEUP_CHARS = 256;  // less waiting output than this: writable for poll(2)

}  // namespace

TerminalFile::TerminalFile(Ref<Terminal> tty, int flags)
    : File(flags), tty_(std::move(tty)), generation_(tty_->generation()) {
  tty_->file_opened();
}

TerminalFile::~TerminalFile() {
  if (!hung_up()) tty_->file_closed();
}

Result<size_t> TerminalFile::read(IoVec& to, int64_t* /*pos*/, int flags) {
  if (hung_up()) return 0;
  TRY(check_background(current(), *tty_, SIGTTIN));
  if (tty_->device() != nullptr) tty_->device()->input_wanted(true);
  return wait_and_read(to, flags);
}

Result<size_t> TerminalFile::wait_and_read(IoVec& to, int flags) {
  LineDiscipline& ldisc = tty_->ldisc();
  const bool lines = ldisc.termios().icanon();
  const size_t vmin = ldisc.termios().cc[VMIN];
  const uint64_t vtime_ns = ldisc.termios().cc[VTIME] * VTIME_UNIT_NS;
  const size_t minimum = lines || vmin == 0 ? 1 : vmin;
  // VMIN 0: VTIME limits the whole read; otherwise the time between two characters.
  Deadline deadline = lines || vmin != 0 ? Deadline::never() : Deadline::after(vtime_ns);

  size_t total = 0;
  while (!to.empty()) {
    if (!ldisc.input_available(false)) {
      Error why{0};
      if (hung_up() || deadline.passed()) {
        return total;
      } else if (nonblocking() || (flags & RWF_NOWAIT) != 0) {
        why = Error{EAGAIN};
      } else {
        const Wake w =
            wait_until(tty_->queue(), deadline, [&] { return ldisc.input_available(false) || hung_up(); });
        if (w == Wake::event) continue;
        if (w == Wake::timeout) return total;
        why = Error{ERESTARTSYS};
      }
      if (total != 0) return total;
      return why;
    }
    char chunk[LineDiscipline::INPUT_LIMIT];
    const size_t n = ldisc.read(chunk, std::min(sizeof chunk, to.remaining()));
    tty_->made_room();
    if (n != 0) {
      const Result<size_t> copied = to.copy_out(chunk, n);
      if (!copied) return total != 0 ? Result<size_t>(total) : copied.error();
      total += copied.value();
    }
    if (ldisc.termios().icanon() || total >= minimum) break;
    if (vtime_ns != 0) deadline = Deadline::after(vtime_ns);
  }
  return total;
}

Result<size_t> TerminalFile::write(IoVec& from, int64_t* /*pos*/, int flags) {
  if (hung_up()) return Error{EIO};
  if (tty_->termios().local(TOSTOP)) TRY(check_background(current(), *tty_, SIGTTOU));
  size_t total = 0;
  LineDiscipline& ldisc = tty_->ldisc();
  while (!from.empty()) {
    char chunk[2048];
    const Result<size_t> peeked = from.peek_in(chunk, std::min(sizeof chunk, from.remaining()));
    if (!peeked) return total != 0 ? Result<size_t>(total) : peeked.error();
    if (hung_up()) return total != 0 ? Result<size_t>(total) : Error{EIO};
    const size_t n = ldisc.write({chunk, peeked.value()});
    from.advance(n);
    total += n;
    if (n == peeked.value()) continue;
    Error why{EAGAIN};
    if (!nonblocking() && (flags & RWF_NOWAIT) == 0) {
      const Wake w =
          wait_until(tty_->queue(), Deadline::never(), [&] { return ldisc.output_room() > 8 || hung_up(); });
      if (w == Wake::event) continue;
      why = Error{ERESTARTSYS};
    }
    return total != 0 ? Result<size_t>(total) : why;
  }
  return total;
}

uint32_t TerminalFile::poll() {
  if (hung_up()) return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM;
  if (tty_->device() != nullptr && readable()) tty_->device()->input_wanted(false);
  uint32_t events = 0;
  if (tty_->ldisc().input_available(true)) events |= EPOLLIN | EPOLLRDNORM;
  if (tty_->ldisc().output_room() > WAKEUP_CHARS) events |= EPOLLOUT | EPOLLWRNORM;
  return events;
}

SysResult TerminalFile::ioctl(Task& t, unsigned long cmd, uint64_t arg) {
  if (hung_up()) return Error{cmd == TIOCSPGRP ? ENOTTY : EIO};
  return tty_ioctl(t, *tty_, *this, false, cmd, arg);
}

Result<Kstat> TerminalFile::stat() {
  if (!tty_->node) return Error{EIO};
  return tty_->node->stat();
}

Result<Ref<File>> TerminalFile::reopen(int flags) { return open_terminal(current(), *tty_, flags); }

Result<Ref<File>> open_terminal(Task& t, Terminal& tty, int flags) {
  if (tty.device() == nullptr || tty.device()->refuses_open()) return Error{EIO};
  if (tty.exclusive && tty.in_use() && !t.cred->capable(CAP_SYS_ADMIN)) return Error{EBUSY};
  Ref<File> file = make_ref<TerminalFile>(Ref<Terminal>(&tty), flags & ~O_NOCTTY);
  acquire_on_open(t, tty, flags);
  return file;
}

}  // namespace starry
