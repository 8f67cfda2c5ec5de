// ioctl(2) on terminals: tty_ioctl(4), in the order and with the checks of tty_io.c and tty_ioctl.c.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/epoll.h>

#include <csignal>
#include <cstring>
#include <optional>

#include "emulated_kernel/sync/wait.h"
#include "emulated_kernel/tty/job_control.h"
#include "emulated_kernel/tty/terminal_file.h"

namespace starry {
namespace {

constexpr uint32_t BAUD[] = {0,       50,      75,      110,     134,     150,     200,    300,
                             600,     1200,    1800,    2400,    4800,    9600,    19200,  38400,
                             57600,   115200,  230400,  460800,  500000,  576000,  921600, 1000000,
                             1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000};

uint32_t baud_of(uint32_t cbaud, uint32_t other) {
  if (cbaud == BOTHER) return other;
  const uint32_t index = (cbaud & CBAUDEX) != 0 ? (cbaud & ~CBAUDEX) + 15 : cbaud;
  return index < std::size(BAUD) ? BAUD[index] : 0;
}

// What the driver of a pty makes of the modes it is given (pty_set_termios()).
void settle(Termios& t, bool has_speeds) {
  t.cflag = (t.cflag & ~(CSIZE | PARENB)) | CS8 | CREAD;
  const uint32_t out = baud_of(t.cflag & CBAUD, has_speeds ? t.ospeed : 0);
  const uint32_t in_bits = (t.cflag >> IBSHIFT) & CBAUD;
  t.ispeed = in_bits == B0 ? out : baud_of(in_bits, has_speeds ? t.ispeed : out);
  t.ospeed = out;
}

// tcdrain(3)
Result<void> drain(Terminal& tty) {
  if (tty.device() == nullptr || !tty.device()->has_drain()) return {};
  const uint64_t generation = tty.generation();
  return wait_event(tty.queue(), Deadline::never(),
                    [&] { return tty.output().empty() || tty.generation() != generation; });
}

enum class When { now, drained, flushed };

Result<void> set_modes(Terminal& tty, const Termios& wanted, bool has_speeds, When when) {
  if (when == When::flushed) tty.flush_input();
  if (when != When::now) TRY(drain(tty));
  Termios t = wanted;
  settle(t, has_speeds);
  if (tty.device() != nullptr) tty.device()->input_wanted(true);
  tty.set_termios(t);
  return {};
}

// TCSETS and its relatives; `size`: how much of struct termios2 the caller passes.
Result<void> set_termios(Task& t, Terminal& tty, uint64_t arg, size_t size, When when) {
  TRY(check_background(t, tty, SIGTTOU));
  Termios wanted = tty.termios();
  TRY(t.mem().read(arg, &wanted, size));
  return set_modes(tty, wanted, size == TERMIOS2_SIZE, when);
}

Result<void> set_termio(Task& t, Terminal& tty, uint64_t arg, When when) {
  TRY(check_background(t, tty, SIGTTOU));
  const Termio in = TRY(t.mem().get(UserPtr<Termio>{arg}));
  Termios wanted = tty.termios();
  auto low_half = [](uint32_t old, uint16_t v) { return (old & 0xffff0000U) | v; };
  wanted.iflag = low_half(wanted.iflag, in.iflag);
  wanted.oflag = low_half(wanted.oflag, in.oflag);
  wanted.cflag = low_half(wanted.cflag, in.cflag);
  wanted.lflag = low_half(wanted.lflag, in.lflag);
  wanted.line = in.line;
  std::memcpy(wanted.cc.data(), in.cc, sizeof in.cc);
  return set_modes(tty, wanted, false, when);
}

Result<void> get_termio(Task& t, Terminal& tty, uint64_t arg) {
  const Termios& now = tty.termios();
  Termio out{};
  out.iflag = static_cast<uint16_t>(now.iflag);
  out.oflag = static_cast<uint16_t>(now.oflag);
  out.cflag = static_cast<uint16_t>(now.cflag);
  out.lflag = static_cast<uint16_t>(now.lflag);
  out.line = now.line;
  std::memcpy(out.cc, now.cc.data(), sizeof out.cc);
  return t.mem().put(UserPtr<Termio>{arg}, out);
}

// Modes. Nothing: not one of these commands.
std::optional<SysResult> modes_ioctl(Task& t, Terminal& tty, unsigned long cmd, uint64_t arg) {
  auto done = [](const Result<void>& r) { return r ? SysResult(0) : SysResult(r.error()); };
  switch (cmd) {
    case TCGETS:
      return done(t.mem().write(arg, &tty.termios(), TERMIOS_SIZE));
    case TCGETS2:
      return done(t.mem().write(arg, &tty.termios(), TERMIOS2_SIZE));
    case TCSETS:
      return done(set_termios(t, tty, arg, TERMIOS_SIZE, When::now));
    case TCSETSW:
      return done(set_termios(t, tty, arg, TERMIOS_SIZE, When::drained));
    case TCSETSF:
      return done(set_termios(t, tty, arg, TERMIOS_SIZE, When::flushed));
    case TCSETS2:
      return done(set_termios(t, tty, arg, TERMIOS2_SIZE, When::now));
    case TCSETSW2:
      return done(set_termios(t, tty, arg, TERMIOS2_SIZE, When::drained));
    case TCSETSF2:
      return done(set_termios(t, tty, arg, TERMIOS2_SIZE, When::flushed));
    case TCGETA:
      return done(get_termio(t, tty, arg));
    case TCSETA:
      return done(set_termio(t, tty, arg, When::now));
    case TCSETAW:
      return done(set_termio(t, tty, arg, When::drained));
    case TCSETAF:
      return done(set_termio(t, tty, arg, When::flushed));
    case TIOCGWINSZ:
      return done(t.mem().put(UserPtr<WinSize>{arg}, tty.size()));
    case TIOCSWINSZ: {
      const Result<WinSize> size = t.mem().get(UserPtr<WinSize>{arg});
      if (!size) return SysResult(size.error());
      tty.set_size(size.value());
      return SysResult(0);
    }
    case TIOCGSOFTCAR: {
      const int32_t local = (tty.termios().cflag & CLOCAL) != 0;
      return done(t.mem().put(UserPtr<int32_t>{arg}, local));
    }
    case TIOCSSOFTCAR: {
      const Result<int32_t> on = t.mem().get(UserPtr<int32_t>{arg});
      if (!on) return SysResult(on.error());
      Termios changed = tty.termios();
      changed.cflag = on.value() != 0 ? changed.cflag | CLOCAL : changed.cflag & ~CLOCAL;
      tty.set_termios(changed);
      return SysResult(0);
    }
    default:
      return std::nullopt;
  }
}

SysResult flush(Task& t, Terminal& tty, bool from_master, uint64_t what) {
  TRY(check_background(t, tty, SIGTTOU));
  if (what != TCIFLUSH && what != TCOFLUSH && what != TCIOFLUSH) return Error{EINVAL};
  // What the master calls its input is the slave's output.
  const bool input = what == TCIOFLUSH || what == (from_master ? TCOFLUSH : TCIFLUSH);
  const bool output = what == TCIOFLUSH || what == (from_master ? TCIFLUSH : TCOFLUSH);
  if (input) tty.flush_input();
  if (output) tty.ldisc().flush_output();
  return 0;
}

SysResult flow(Task& t, Terminal& tty, uint64_t what) {
  TRY(check_background(t, tty, SIGTTOU));
  switch (what) {
    case TCOOFF:
    case TCOON:
      tty.ldisc().set_stopped(what == TCOOFF, true);
      return 0;
    case TCIOFF:
    case TCION: {  // asks the other end to stop or go on
      const uint8_t c = tty.termios().cc[what == TCIOFF ? VSTOP : VSTART];
      if (c != 0) {
        tty.output().push_back(static_cast<char>(c));
        if (tty.device() != nullptr) tty.device()->output_ready();
      }
      return 0;
    }
    default:
      return Error{EINVAL};
  }
}

SysResult simulate_input(Task& t, Terminal& tty, uint64_t arg) {
  if (controlling_terminal(*t.group) != &tty && !t.cred->capable(CAP_SYS_ADMIN)) return Error{EPERM};
  const char c = TRY(t.mem().get(UserPtr<char>{arg}));
  tty.input({&c, 1});
  return 0;
}

SysResult hang_up(Task& t, Terminal& tty) {
  if (!t.cred->capable(CAP_SYS_ADMIN)) return Error{EPERM};
  tty.hangup();
  return 0;
}

}  // namespace

SysResult tty_ioctl(Task& t, Terminal& tty, File& file, bool from_master, unsigned long cmd, uint64_t arg) {
  if (const std::optional<SysResult> r = modes_ioctl(t, tty, cmd, arg)) return *r;
  auto put_int = [&](int32_t v) -> SysResult {
    TRY(t.mem().put(UserPtr<int32_t>{arg}, v));
    return 0;
  };
  switch (cmd) {
    case TIOCGPGRP:
      return put_int(TRY(tty_get_foreground(t, tty, from_master)));
    case TIOCSPGRP: {
      // EFAULT comes after the check for a background process, as in tiocspgrp().
      const Result<void> allowed = check_background(t, tty, SIGTTOU);
      if (!allowed) return allowed.code() == EIO ? Error{ENOTTY} : allowed.error();
      const pid_t number = TRY(t.mem().get(UserPtr<pid_t>{arg}));
      const pid_t pgid = number < 0 ? number : t.kernel_pid(number);
      TRY(tty_set_foreground(t, tty, pgid));
      return 0;
    }
    case TIOCGSID:
      return put_int(TRY(tty_get_session(t, tty, from_master)));
    case TIOCSCTTY:
      TRY(tty_set_controlling(t, tty, file.readable(), arg == 1));
      return 0;
    case TIOCNOTTY:
      TRY(tty_give_up(t, tty));
      return 0;
    case FIONREAD:
      return put_int(static_cast<int32_t>(from_master ? tty.output().size() : tty.ldisc().input_count()));
    case TIOCOUTQ:
      return put_int(!from_master && tty.device() != nullptr && tty.device()->has_drain()
                         ? static_cast<int32_t>(tty.output().size())
                         : 0);
    case TCSBRK:  // tcdrain(3) or tcsendbreak(3); a break is nothing on a pty
    case TCSBRKP:
    case TIOCSBRK:
      TRY(check_background(t, tty, SIGTTOU));
      TRY(drain(tty));
      return 0;
    case TCFLSH:
      return flush(t, tty, from_master, arg);
    case TCXONC:
      return flow(t, tty, arg);
    case TIOCSTI:
      return simulate_input(t, tty, arg);
    case TIOCVHANGUP:
      return hang_up(t, tty);
    case TIOCEXCL:
    case TIOCNXCL:
      tty.exclusive = cmd == TIOCEXCL;
      return 0;
    case TIOCGEXCL:
      return put_int(tty.exclusive ? 1 : 0);
    case TIOCGETD:
      return put_int(0);  // N_TTY
    case TIOCSETD:
      return TRY(t.mem().get(UserPtr<int32_t>{arg})) == 0 ? SysResult(0) : SysResult(Error{EINVAL});
    case TIOCGDEV:
      return put_int(static_cast<int32_t>(tty.rdev()));
    default:
      return Error{ENOTTY};
  }
}

}  // namespace starry
