#include "emulated_kernel/trace/printer.h"

#include <fcntl.h>
#include <time.h>

#include <algorithm>
#include <vector>

namespace starry::trace {

void append_quoted(std::string& out, std::string_view data, QuoteStyle style) {
  const auto plain = [](unsigned char c) { return (c >= 0x20 && c < 0x7f) || (c >= '\t' && c <= '\r'); };
  const bool all_hex = style == QuoteStyle::HEX || (style == QuoteStyle::HEX_UNPRINTABLE &&
                                                    !std::all_of(data.begin(), data.end(), plain));
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

void append_octal(std::string& out, uint32_t mode) {
  if (mode == 0)
    out += "000";
  else
    fmt::format_to(std::back_inserter(out), "{:#03o}", mode);
}

void Printer::octal(uint32_t mode) { append_octal(out, mode); }

void Printer::note_unknown(FlagFamily family, uint64_t bits) {
  if (bits != 0) state.unknown.push_back({static_cast<int>(family), bits});
}

void Printer::flags(FlagFamily family, uint64_t v) {
  if (names == XlatStyle::RAW) return number_hex(v);
  const bool verbose = names == XlatStyle::VERBOSE;
  if (verbose && (v != 0 || value_name(family, 0) != nullptr)) {
    number_hex(v);
    std::string text;
    note_unknown(family, append_flags(text, family, v));
    if (const size_t comment = text.find("/* "); comment != std::string::npos)
      put(" " + text.substr(comment));
    else if (value_known(family, v))
      print(" /* {} */", text);
    return;
  }
  note_unknown(family, append_flags(out, family, v));
}

void Printer::more_flags(FlagFamily family, uint64_t v) {
  note_unknown(family, append_more_flags(out, family, v));
}

void Printer::name(FlagFamily family, uint64_t v) {
  if (names == XlatStyle::RAW) return number_hex(v);
  std::string text;
  if (!append_enum(text, family, v)) {
    state.unknown.push_back({static_cast<int>(family), v});
    put(text);
  } else if (names == XlatStyle::VERBOSE) {
    number_hex(v);
    print(" /* {} */", text);
  } else {
    put(text);
  }
}

void Printer::signal(int signo) {
  const std::string text = signal_name(signo);
  const bool named = text.starts_with("SIG");
  if (!named || names != XlatStyle::ABBREV) print("{}", signo);
  if (!named || names == XlatStyle::RAW) return;
  if (names == XlatStyle::VERBOSE)
    print(" /* {} */", text);
  else
    put(text);
}

void Printer::fd(int number) {
  print("{}", number);
  if (opt.wants_fd_texts()) {
    const std::string text = mem.fd_text(number);
    if (opt.fd_paths) put(text);
  }
}

void Printer::quoted(std::string_view data, bool all_hex) {
  append_quoted(out, data, all_hex ? QuoteStyle::HEX : opt.quotes);
}

void Printer::dirfd(int number) {
  if (number != AT_FDCWD) return fd(number);
  if (names != XlatStyle::ABBREV) print("{}", number);
  if (names != XlatStyle::RAW) put(names == XlatStyle::VERBOSE ? " /* AT_FDCWD */" : "AT_FDCWD");
  if (opt.wants_fd_texts()) {
    const std::string text = mem.fd_text(number);
    if (opt.fd_paths) put(text);
  }
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
  quoted(data);
  if (len > data.size()) put("...");
}

void Printer::bytes_hex(uint64_t addr, uint64_t len) {
  std::string data(static_cast<size_t>(std::min<uint64_t>(len, opt.string_limit)), '\0');
  if (addr == 0 || !mem.read(addr, data.data(), data.size())) {
    address(addr);
    return;
  }
  quoted(data, true);
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
  quoted(data);
  if (longer) put("...");
}

}  // namespace starry::trace
