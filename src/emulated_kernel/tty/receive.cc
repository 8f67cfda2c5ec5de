// Input side of the line discipline: from the device to the queue that programs read.
#include <csignal>

#include "emulated_kernel/tty/latin1.h"
#include "emulated_kernel/tty/line_discipline.h"

namespace starry {

void LineDiscipline::set_termios(const Termios& t) {
  const Termios old = termios_;
  termios_ = t;
  if (((old.lflag ^ t.lflag) & (ICANON | EXTPROC)) != 0) {
    for (uint16_t& cell : queue_) {
      // A pending end of file becomes the NUL that marks it, as it does in Linux.
      cell = static_cast<uint8_t>(cell);
    }
    pushed_ = t.icanon() && !queue_.empty();
    if (pushed_) queue_.back() |= LINE_END;
    canon_ = pushed_ ? queue_.size() : 0;
    erasing_ = literal_next_ = false;
  }
  if (!t.ixon() && old.ixon()) set_stopped(false, false);
  client_.input_ready();
  client_.output_ready();
}

// A line that is longer than the buffer: its end must still get through, the rest is dropped.
bool LineDiscipline::overflowing() const { return termios_.icanon() && canon_ == 0; }

size_t LineDiscipline::receive(std::string_view bytes) {
  if (!stopped_) shown_column_ = column_;
  size_t n = 0;
  for (; n < bytes.size(); ++n) {
    if (queue_.size() >= INPUT_LIMIT - 1 && !overflowing()) break;
    receive_char(static_cast<uint8_t>(bytes[n]));
  }
  if (!output_.empty()) client_.output_ready();
  if (n != 0 && input_available(true)) client_.input_ready();
  return n;
}

void LineDiscipline::receive_char(uint8_t c) {
  if ((termios_.iflag & ISTRIP) != 0) c &= 0x7f;
  if ((termios_.iflag & IUCLC) != 0 && termios_.iexten()) c = latin1::to_lower(c);
  if (termios_.extproc()) {
    store(c);
  } else if (literal_next_) {
    literal_next_ = false;
    ordinary_char(c);
  } else if (!receive_special(c)) {
    ordinary_char(c);
  }
}

// The characters that have a meaning in this mode. False: c is an ordinary one.
bool LineDiscipline::receive_special(uint8_t c) {
  if (flow_char(c) || signal_char(c)) return true;
  bool from_cr = false;
  if (c == '\r') {
    if ((termios_.iflag & IGNCR) != 0) return true;
    from_cr = (termios_.iflag & ICRNL) != 0;
    if (from_cr) c = '\n';
  } else if (c == '\n' && (termios_.iflag & INLCR) != 0) {
    c = '\r';
  }
  if (termios_.icanon()) {
    if (editing_char(c) || line_end_char(c)) return true;
  } else if (from_cr && termios_.echo()) {  // a plain newline is echoed as ^J without ICANON
    restart_on_any();
    finish_erasing();
    echo_raw('\n');
    store(c);
    return true;
  }
  ordinary_char(c);
  return true;
}

bool LineDiscipline::flow_char(uint8_t c) {
  if (!termios_.ixon()) return false;
  if (is(c, VSTART)) {
    set_stopped(false, false);
    return true;
  }
  if (is(c, VSTOP)) {
    set_stopped(true, false);
    return true;
  }
  return false;
}

void LineDiscipline::restart_on_any() {
  if (stopped_ && termios_.ixon() && (termios_.iflag & IXANY) != 0) set_stopped(false, false);
}

bool LineDiscipline::signal_char(uint8_t c) {
  if (!termios_.isig()) return false;
  const int signo = is(c, VINTR) ? SIGINT : is(c, VQUIT) ? SIGQUIT : is(c, VSUSP) ? SIGTSTP : 0;
  if (signo == 0) return false;
  client_.signal_foreground(signo);
  if (!termios_.local(NOFLSH)) {
    flush_input();
    flush_output();
    column_ = shown_column_;  // echo that was dropped has not moved the cursor
  }
  if (termios_.ixon()) set_stopped(false, false);
  if (termios_.echo()) echo_char(c);
  return true;
}

bool LineDiscipline::editing_char(uint8_t c) {
  if (is(c, VERASE) || is(c, VKILL) || (is(c, VWERASE) && termios_.iexten())) {
    restart_on_any();
    erase(c);
    return true;
  }
  if (is(c, VLNEXT) && termios_.iexten()) {
    restart_on_any();
    literal_next_ = true;
    if (termios_.echo()) {
      finish_erasing();
      if (termios_.local(ECHOCTL)) echo_bytes("^\b");
    }
    return true;
  }
  if (is(c, VREPRINT) && termios_.echo() && termios_.iexten()) {
    restart_on_any();
    finish_erasing();
    echo_char(c);
    echo_raw('\n');
    for (size_t i = canon_; i < queue_.size(); ++i) echo_char(static_cast<uint8_t>(queue_[i]));
    return true;
  }
  return false;
}

bool LineDiscipline::line_end_char(uint8_t c) {
  if (c == '\n') {
    restart_on_any();
    if (termios_.local(ECHO | ECHONL)) echo_raw('\n');
    end_line(static_cast<uint16_t>('\n' | LINE_END));
    return true;
  }
  if (is(c, VEOF)) {
    restart_on_any();
    end_line(LINE_END | END_OF_FILE);
    return true;
  }
  if (is(c, VEOL) || (is(c, VEOL2) && termios_.iexten())) {
    restart_on_any();
    if (termios_.echo()) {
      note_line_start();
      echo_char(c);
    }
    if (c == 0xff && (termios_.iflag & PARMRK) != 0) store(c);
    end_line(static_cast<uint16_t>(c | LINE_END));
    return true;
  }
  return false;
}

void LineDiscipline::ordinary_char(uint8_t c) {
  restart_on_any();
  if (termios_.echo()) {
    finish_erasing();
    note_line_start();
    echo_char(c);
  }
  if (c == 0xff && (termios_.iflag & PARMRK) != 0) store(c);
  store(c);
}

void LineDiscipline::store(uint8_t c) {
  if (queue_.size() < INPUT_LIMIT - 1) queue_.push_back(c);
}

void LineDiscipline::end_line(uint16_t cell) {
  queue_.push_back(cell);
  canon_ = queue_.size();
}

bool LineDiscipline::input_available(bool poll) const {
  if (termios_.icanon() && !termios_.extproc()) return canon_ != 0;
  const size_t vmin = termios_.cc[VMIN];
  const size_t needed = poll && termios_.cc[VTIME] == 0 && vmin != 0 ? vmin : 1;
  return queue_.size() >= needed;
}

size_t LineDiscipline::input_count() const {
  if (!termios_.icanon() || termios_.extproc()) return queue_.size();
  size_t n = 0;
  for (size_t i = 0; i < canon_; ++i) n += (queue_[i] & END_OF_FILE) == 0;
  return n;
}

size_t LineDiscipline::read(char* dst, size_t max) {
  const bool lines = termios_.icanon() && !termios_.extproc();
  size_t n = 0;
  bool ended = false;
  while (!ended && !queue_.empty() && (!lines || canon_ > 0)) {
    const uint16_t cell = queue_.front();
    const bool eof = lines && (cell & END_OF_FILE) != 0;
    // An end-of-file mark right behind a full buffer belongs to this read.
    if (n == max && !eof) break;
    ended = lines && (cell & LINE_END) != 0;
    if (!eof) dst[n++] = static_cast<char>(cell);
    queue_.pop_front();
    if (canon_ > 0) --canon_;
  }
  return n;
}

void LineDiscipline::flush_input() {
  queue_.clear();
  canon_ = 0;
  literal_next_ = erasing_ = false;
}

}  // namespace starry
