#pragma once

#include <cstdint>

constexpr uint64_t MS = 1'000'000;  // a millisecond in nanoseconds
