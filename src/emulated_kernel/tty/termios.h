// Terminal modes as the kernel ABI has them (termios(3), asm-generic/termbits.h). glibc's <termios.h>
// has another layout, so kernel code uses this and <asm/termbits.h>.
#pragma once

#include <asm/ioctls.h>
#include <asm/termbits.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace starry {

// struct termios2; its first 36 bytes are struct termios.
struct Termios {
  uint32_t iflag = ICRNL | IXON;
  uint32_t oflag = OPOST | ONLCR;
  uint32_t cflag = B38400 | CS8 | CREAD;
  uint32_t lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
  uint8_t line = 0;
  std::array<uint8_t, 19> cc = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0};
  uint32_t ispeed = 38400, ospeed = 38400;

  bool icanon() const { return (lflag & ICANON) != 0; }
  bool isig() const { return (lflag & ISIG) != 0; }
  bool iexten() const { return (lflag & IEXTEN) != 0; }
  bool extproc() const { return (lflag & EXTPROC) != 0; }
  bool ixon() const { return (iflag & IXON) != 0; }
  bool opost() const { return (oflag & OPOST) != 0; }
  bool echo() const { return (lflag & ECHO) != 0; }
  bool local(uint32_t lflags) const { return (lflag & lflags) != 0; }
  bool operator==(const Termios&) const = default;
};
inline constexpr size_t TERMIOS_SIZE = 36, TERMIOS2_SIZE = 44;
static_assert(sizeof(Termios) == TERMIOS2_SIZE && std::is_trivially_copyable_v<Termios>);

// struct termio, the System V form (TCGETA, TCSETA).
struct Termio {
  uint16_t iflag, oflag, cflag, lflag;
  uint8_t line;
  uint8_t cc[8];
};
static_assert(sizeof(Termio) == 18);

struct WinSize {  // struct winsize
  uint16_t rows = 0, cols = 0, xpixel = 0, ypixel = 0;
  bool operator==(const WinSize&) const = default;
};
static_assert(sizeof(WinSize) == 8);

}  // namespace starry
