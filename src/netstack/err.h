// The one place where lwIP's error codes and ICMP codes become errno values.
#pragma once

#include <cstdint>

namespace starry {

// err_t -> positive errno; 0 for ERR_OK.
int errno_from_lwip(int err);
// What a connected UDP socket reports for an ICMP destination unreachable code (icmp(7)).
int errno_from_unreachable(uint8_t code);
int errno_from_unreachable6(uint8_t code);

}  // namespace starry
