#pragma once

#include <cstdint>

namespace starry {

// Bytes in a page, the host's as well as the guest's (x86-64).
constexpr uint64_t PAGE = 4096;

constexpr uint64_t page_down(uint64_t a) { return a & ~(PAGE - 1); }
constexpr uint64_t page_up(uint64_t a) { return page_down(a + PAGE - 1); }

}  // namespace starry
