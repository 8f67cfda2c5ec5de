// Character classes as the kernel has them (lib/ctype.c): Latin-1, independent of any locale.
#pragma once

#include <cstdint>

namespace starry::latin1 {

constexpr bool is_control(uint8_t c) { return c < 0x20 || c == 0x7f; }
constexpr bool is_upper(uint8_t c) { return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7); }
constexpr bool is_lower(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 0xdf && c != 0xf7); }
constexpr bool is_alnum(uint8_t c) { return (c >= '0' && c <= '9') || is_upper(c) || is_lower(c); }
constexpr uint8_t to_upper(uint8_t c) { return is_lower(c) ? static_cast<uint8_t>(c - 0x20) : c; }
constexpr uint8_t to_lower(uint8_t c) { return is_upper(c) ? static_cast<uint8_t>(c + 0x20) : c; }

}  // namespace starry::latin1
