#include "emulated_kernel/trace/printer.h"

#include <fcntl.h>
#include <time.h>

#include <algorithm>
#include <vector>

namespace starry::trace {

void append_quoted(std::string& out, std::string_view data, bool all_hex) {
  out += '"';
  for (size_t i = 0; i < data.size(); ++i) {
    auto c = static_cast<unsigned char>(data[i]);
    if (all_hex) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", c);
      continue;
    }
    switch (c) {
      case '"':
      case '\\':
        out += '\\';
        out += static_cast<char>(c);
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\v':
        out += "\\v";
        break;
      default:
        if (c >= 0x20 && c < 0x7f) {
          out += static_cast<char>(c);
        } else if (i + 1 < data.size() && data[i + 1] >= '0' && data[i + 1] <= '9') {
          // A digit follows: all three octal digits, or it would be read as part of the escape.
          fmt::format_to(std::back_inserter(out), "\\{:03o}", c);
        } else {
          fmt::format_to(std::back_inserter(out), "\\{:o}", c);
        }
    }
  }
  out += '"';
}

void append_date(std::string& out, int64_t sec, int64_t fraction, int digits) {
  time_t t = sec;
  tm parts{};
  if (gmtime_r(&t, &parts) == nullptr) return;
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  if (fraction != 0) fmt::format_to(std::back_inserter(out), ".{:0{}}", fraction, digits);
  out += "+0000";
}

void Printer::address(uint64_t addr) {
  if (addr == 0)
    put("NULL");
  else
    print("{:#x}", addr);
}

void Printer::number_hex(uint64_t v) {
  if (v == 0)
    put("0");
  else
    print("{:#x}", v);
}

void Printer::octal(uint32_t mode) {
  if (mode == 0)
    put("000");
  else
    print("{:#03o}", mode);
}

void Printer::dirfd(int number) {
  if (number == AT_FDCWD)
    put("AT_FDCWD");
  else
    fd(number);
}

void Printer::uid(uint32_t id) {
  if (id == UINT32_MAX)
    put("-1");
  else
    print("{}", id);
}

void Printer::bytes(uint64_t addr, uint64_t len) {
  std::string data(static_cast<size_t>(std::min<uint64_t>(len, opt.string_limit)), '\0');
  if (addr == 0 || !mem.read(addr, data.data(), data.size())) {
    address(addr);
    return;
  }
  append_quoted(out, data);
  if (len > data.size()) put("...");
}

void Printer::bytes_hex(uint64_t addr, uint64_t len) {
  std::string data(static_cast<size_t>(std::min<uint64_t>(len, opt.string_limit)), '\0');
  if (addr == 0 || !mem.read(addr, data.data(), data.size())) {
    address(addr);
    return;
  }
  append_quoted(out, data, true);
  if (len > data.size()) put("...");
}

void Printer::c_string(uint64_t addr, size_t limit) {
  // In pieces that do not cross 256-byte blocks: the string may end at the end of a mapping.
  constexpr size_t BLOCK = 256;
  std::string data;
  bool ended = false;
  while (addr != 0 && !ended && data.size() <= limit) {
    char block[BLOCK];
    uint64_t at = addr + data.size();
    size_t n = mem.read_some(at, block, BLOCK - at % BLOCK);
    if (n == 0) {
      address(addr);
      return;
    }
    size_t len = strnlen(block, n);
    data.append(block, len);
    ended = len < n;
  }
  if (addr == 0) {
    address(0);
    return;
  }
  bool longer = data.size() > limit;
  if (longer) data.resize(limit);
  append_quoted(out, data);
  if (longer) put("...");
}

}  // namespace starry::trace
