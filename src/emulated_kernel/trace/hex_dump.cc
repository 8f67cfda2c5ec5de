#include "emulated_kernel/trace/hex_dump.h"

#include <fmt/format.h>

#include <algorithm>

namespace starry::trace {

std::string hex_dump(MemoryView& mem, uint64_t addr, uint64_t length) {
  constexpr size_t WIDTH = 16, GROUP = 8;
  std::string out;
  for (uint64_t at = 0; at < length;) {
    unsigned char bytes[WIDTH];
    const size_t n = mem.read_some(addr + at, bytes, std::min<uint64_t>(WIDTH, length - at));
    if (n == 0) break;
    std::string hex, text;
    for (size_t i = 0; i < WIDTH; ++i) {
      hex += i < n ? fmt::format("{:02x} ", bytes[i]) : "   ";
      if (i % GROUP == GROUP - 1) hex += ' ';
      if (i < n)
        text += bytes[i] >= 0x20 && bytes[i] < 0x7f ? static_cast<char>(bytes[i]) : '.';
      else
        text += ' ';
    }
    out += fmt::format(" | {:05x}  {}{} |\n", at, hex, text);
    at += n;
  }
  return out;
}

}  // namespace starry::trace
