// Output side of the line discipline: OPOST, echo, flow control.
#include "emulated_kernel/tty/latin1.h"
#include "emulated_kernel/tty/line_discipline.h"

namespace starry {
namespace {

constexpr size_t ECHO_RESERVE = 4096;    // echo may go this far beyond the limit, then it is lost
constexpr uint8_t ECHO_OP_START = 0xff;  // has a path of its own through n_tty's echo buffer

}  // namespace

size_t LineDiscipline::output_room() const {
  if (stopped_) return 0;
  const size_t used = output_.size() + held_.size();
  return used < OUTPUT_LIMIT ? OUTPUT_LIMIT - used : 0;
}

// do_output_char(): one character through OPOST into `to`. False if there is no room for it.
bool LineDiscipline::put(uint8_t c, std::string& to, bool may_drop) {
  const size_t limit = may_drop ? OUTPUT_LIMIT + ECHO_RESERVE : OUTPUT_LIMIT;
  if (to.size() + 8 > limit) return may_drop;
  if (!termios_.opost()) {
    to.push_back(static_cast<char>(c));
    return true;
  }
  switch (c) {
    case '\n':
      if ((termios_.oflag & ONLRET) != 0) column_ = 0;
      if ((termios_.oflag & ONLCR) != 0) {
        column_ = 0;
        if (!newline_by_device_) to.push_back('\r');
      }
      canon_column_ = column_;
      break;
    case '\r':
      if ((termios_.oflag & ONOCR) != 0 && column_ == 0) return true;
      if ((termios_.oflag & OCRNL) != 0) {
        c = '\n';
        if ((termios_.oflag & ONLRET) != 0) canon_column_ = column_ = 0;
        break;
      }
      canon_column_ = column_ = 0;
      break;
    case '\t': {
      const unsigned spaces = 8 - (column_ & 7);
      column_ += spaces;
      if ((termios_.oflag & TABDLY) == XTABS) {
        to.append(spaces, ' ');
        return true;
      }
      break;
    }
    case '\b':
      if (column_ > 0) --column_;
      break;
    default:
      if (latin1::is_control(c)) break;
      if ((termios_.oflag & OLCUC) != 0) c = latin1::to_upper(c);
      if (!continuation(c)) ++column_;
  }
  to.push_back(static_cast<char>(c));
  return true;
}

size_t LineDiscipline::write(std::string_view bytes) {
  if (stopped_) return 0;
  size_t n = 0;
  while (n < bytes.size() && put(static_cast<uint8_t>(bytes[n]), output_, false)) ++n;
  if (n != 0) client_.output_ready();
  return n;
}

void LineDiscipline::took_output() {
  if (output_room() > 0) client_.output_ready();
}

void LineDiscipline::flush_output() {
  output_.clear();
  held_.clear();
  client_.output_flushed();
  client_.output_ready();
}

void LineDiscipline::set_stopped(bool stopped, bool by_ioctl) {
  // What tcflow(TCOOFF) stopped, only tcflow(TCOON) starts again.
  if (stopped_by_ioctl_ && !by_ioctl) return;
  if (by_ioctl) stopped_by_ioctl_ = stopped;
  if (stopped_ == stopped) return;
  stopped_ = stopped;
  shown_column_ = column_;
  client_.flow_changed(stopped);
  if (stopped) return;
  output_ += held_;
  held_.clear();
  client_.output_ready();
}

void LineDiscipline::echo_raw(uint8_t c) {
  std::string& to = stopped_ ? held_ : output_;
  if (c != ECHO_OP_START) {
    put(c, to, true);
  } else if (to.size() < OUTPUT_LIMIT + ECHO_RESERVE) {
    to.push_back(static_cast<char>(c));
    ++column_;
  }
}

void LineDiscipline::echo_bytes(std::string_view s) {
  for (char c : s) echo_raw(static_cast<uint8_t>(c));
}

void LineDiscipline::echo_char(uint8_t c) {
  if (!termios_.local(ECHOCTL) || !latin1::is_control(c) || c == '\t') {
    echo_raw(c);
    return;
  }
  std::string& to = stopped_ ? held_ : output_;
  if (to.size() + 2 > OUTPUT_LIMIT + ECHO_RESERVE) return;
  to.push_back('^');
  to.push_back(static_cast<char>(c ^ 0100));
  column_ += 2;
}

void LineDiscipline::finish_erasing() {
  if (!erasing_) return;
  echo_raw('/');
  erasing_ = false;
}

void LineDiscipline::note_line_start() {
  if (queue_.size() == canon_) canon_column_ = column_;
}

}  // namespace starry
