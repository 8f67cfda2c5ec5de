// Which futex an address means. Private futexes are named by address space and address; shared ones by
// what backs the page, so that all processes that map it agree. As in Linux, a shared operation on
// private memory names another futex than a private operation does.
#pragma once

#include <cstddef>
#include <cstdint>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/base/user_ptr.h"

namespace starry {

class Mm;

struct FutexKey {
  enum class Kind : uint8_t { private_op, private_memory, anonymous, file };
  Kind kind = Kind::private_op;
  uint64_t space = 0;   // the Mm; the device
  uint64_t object = 0;  // the inode
  uint64_t offset = 0;  // the address; the place in the file

  bool operator==(const FutexKey&) const = default;
  size_t hash() const {
    uint64_t h = (space ^ (object * 0x9e3779b97f4a7c15)) + offset;
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccd;
    return static_cast<size_t>(h ^ (h >> 32));
  }
};

// EINVAL: misaligned; EFAULT: no user address, or (shared) nothing mapped there.
Result<FutexKey> futex_key(const Mm& mm, UserAddr addr, bool shared);

}  // namespace starry
