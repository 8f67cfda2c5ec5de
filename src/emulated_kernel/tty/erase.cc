// VERASE, VWERASE, VKILL: taking back what was typed, on the screen too (n_tty.c: eraser()).
#include "emulated_kernel/tty/latin1.h"
#include "emulated_kernel/tty/line_discipline.h"

namespace starry {
namespace {

uint8_t char_of(uint16_t cell) { return static_cast<uint8_t>(cell); }

}  // namespace

void LineDiscipline::erase(uint8_t c) {
  if (queue_.size() == canon_) return;
  const bool one = is(c, VERASE), word = !one && termios_.iexten() && is(c, VWERASE);
  if (!one && !word) {  // VKILL
    const bool visual = termios_.local(ECHOK) && termios_.local(ECHOKE) && termios_.local(ECHOE);
    if (!termios_.echo() || !visual) {
      queue_.resize(canon_);
      if (!termios_.echo()) return;
      finish_erasing();
      echo_char(c);
      if (termios_.local(ECHOK)) echo_raw('\n');
      return;
    }
  }
  bool in_word = false;
  while (queue_.size() > canon_) {
    size_t head = queue_.size();
    do --head;
    while (head > canon_ && continuation(char_of(queue_[head])));
    const uint8_t last = char_of(queue_[head]);
    if (continuation(last)) break;  // the rest of a multi-byte character
    if (word) {
      if (latin1::is_alnum(last) || last == '_')
        in_word = true;
      else if (in_word)
        break;
    }
    if (!termios_.echo()) {
      queue_.resize(head);
    } else if (termios_.local(ECHOPRT)) {
      if (!erasing_) echo_raw('\\');
      erasing_ = true;
      echo_char(last);
      for (size_t i = head + 1; i < queue_.size(); ++i) echo_raw(char_of(queue_[i]));
      queue_.resize(head);
    } else {
      queue_.resize(head);
      if (one && !termios_.local(ECHOE))
        echo_char(c);
      else if (last == '\t')
        echo_erase_tab();
      else if (!latin1::is_control(last) || termios_.local(ECHOCTL))
        echo_bytes(latin1::is_control(last) ? "\b \b\b \b" : "\b \b");
    }
    if (one) break;
  }
  if (queue_.size() == canon_ && termios_.echo()) finish_erasing();
}

// Moves back over a tab that was just removed: to the end of the text before it.
void LineDiscipline::echo_erase_tab() {
  unsigned width = 0;
  bool after_tab = false;
  for (size_t i = queue_.size(); i > canon_ && !after_tab;) {
    const uint8_t c = char_of(queue_[--i]);
    if (c == '\t')
      after_tab = true;
    else if (latin1::is_control(c))
      width += termios_.local(ECHOCTL) ? 2 : 0;
    else if (!continuation(c))
      ++width;
  }
  if (!after_tab) width += canon_column_;
  for (unsigned n = 8 - (width & 7); n > 0; --n) {
    echo_raw('\b');
    if (!termios_.opost() && column_ > 0) --column_;  // with OPOST, output counts itself
  }
}

}  // namespace starry
