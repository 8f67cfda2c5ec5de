// N_TTY: the standard line discipline (termios(3), drivers/tty/n_tty.c is the behaviour to match).
// Input goes from the device through receive() to a queue of characters and line ends, output from
// write() to a queue that the device drains. No tasks, no sleeping: pure logic for terminal.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "emulated_kernel/tty/termios.h"

namespace starry {

class LineDiscipline {
 public:
  // Who owns the line discipline: the terminal.
  class Client {
   public:
    virtual ~Client() = default;
    virtual void signal_foreground(int signo) = 0;  // VINTR, VQUIT, VSUSP
    virtual void input_ready() = 0;                 // readers may have something to read
    virtual void output_ready() = 0;                // output() has grown, or room came back
    virtual void output_flushed() = 0;              // what the device had not shown is to be dropped
    virtual void flow_changed(bool stopped) = 0;    // VSTOP, VSTART, tcflow(3)
  };
  explicit LineDiscipline(Client& client) : client_(client) {}

  const Termios& termios() const { return termios_; }
  void set_termios(const Termios& t);

  // --- Input ---
  // Takes characters from the device; returns how many it accepted (the rest must be offered again
  // when readers made room).
  size_t receive(std::string_view bytes);
  // True if a read would find something; `poll`: count VMIN as poll(2) does.
  bool input_available(bool poll) const;
  size_t input_count() const;  // FIONREAD
  // Up to `max` bytes of the current line, or of what there is without ICANON. End of file is a
  // result of 0 bytes with input_available() before.
  size_t read(char* dst, size_t max);
  void flush_input();

  // --- Output ---
  // Puts program output into the queue after OPOST processing. Returns how many bytes were consumed;
  // fewer than given means: wait for output_ready().
  size_t write(std::string_view bytes);
  std::string& output() { return output_; }  // the device erases what it took, then calls took_output
  void took_output();
  size_t output_room() const;
  void flush_output();
  void set_stopped(bool stopped, bool by_ioctl);
  bool stopped() const { return stopped_; }
  // The device expands newlines itself: write() then only counts columns.
  void set_newline_by_device(bool on) { newline_by_device_ = on; }

  static constexpr size_t INPUT_LIMIT = 4096;    // N_TTY_BUF_SIZE
  static constexpr size_t OUTPUT_LIMIT = 65536;  // what a pty buffers

 private:
  static constexpr uint16_t LINE_END = 0x100;  // mark of the last character of a line
  static constexpr uint16_t END_OF_FILE = 0x200;
  static constexpr uint8_t DISABLED = 0;  // _POSIX_VDISABLE

  // receive.cc
  void receive_char(uint8_t c);
  bool receive_special(uint8_t c);
  bool flow_char(uint8_t c);
  bool signal_char(uint8_t c);
  bool editing_char(uint8_t c);
  bool line_end_char(uint8_t c);
  void ordinary_char(uint8_t c);
  void end_line(uint16_t cell);
  void store(uint8_t c);
  void restart_on_any();
  bool is(uint8_t c, int index) const {
    return c != DISABLED && c == termios_.cc[static_cast<size_t>(index)];
  }
  bool overflowing() const;

  // erase.cc
  void erase(uint8_t c);
  void echo_erase_tab();
  bool continuation(uint8_t c) const { return (termios_.iflag & IUTF8) != 0 && (c & 0xc0) == 0x80; }

  // output.cc
  bool put(uint8_t c, std::string& to, bool may_drop);
  void echo_raw(uint8_t c);   // as it is
  void echo_char(uint8_t c);  // control characters as ^X
  void echo_bytes(std::string_view s);
  void finish_erasing();
  void note_line_start();

  Client& client_;
  Termios termios_;
  std::deque<uint16_t> queue_;  // characters; with LINE_END / END_OF_FILE marks
  size_t canon_ = 0;            // the first canon_ characters of queue_ are complete lines
  bool literal_next_ = false;   // VLNEXT came
  bool erasing_ = false;        // between the backslashes of ECHOPRT
  bool pushed_ = false;         // what was there when ICANON was switched on counts as a line

  std::string output_, held_;  // held_: echo while output is stopped
  unsigned column_ = 0, canon_column_ = 0;
  unsigned shown_column_ = 0;  // without the echo that the device has not been given yet
  bool stopped_ = false, stopped_by_ioctl_ = false;
  bool newline_by_device_ = false;
};

}  // namespace starry
