// Guest pointers are their own type: they cannot be dereferenced by accident, only copied through
// UserMemory, which checks them against the guest's memory map.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "emulated_kernel/base/result.h"

namespace starry {

using UserAddr = uint64_t;

template <class T>
struct UserPtr {
  UserAddr addr = 0;
  explicit operator bool() const { return addr != 0; }
  template <class U>
  UserPtr<U> cast() const {
    return UserPtr<U>{addr};
  }
  UserPtr operator+(int64_t n) const requires(!std::is_void_v<T>) {
    return UserPtr{addr + static_cast<uint64_t>(n) * sizeof(T)};
  }
};

// One guest address space as the kernel sees it. Every access is checked: EFAULT if any byte is
// unmapped or lacks the permission. Reads and writes are all-or-nothing except read_some/write_some.
class UserMemory {
 public:
  virtual ~UserMemory() = default;
  virtual Result<void> read(UserAddr addr, void* dst, size_t n) = 0;
  virtual Result<void> write(UserAddr addr, const void* src, size_t n) = 0;
  // Bytes copied before the first inaccessible page; EFAULT if none (n > 0).
  virtual Result<size_t> read_some(UserAddr addr, void* dst, size_t n) = 0;
  virtual Result<size_t> write_some(UserAddr addr, const void* src, size_t n) = 0;
  // NUL-terminated string without the NUL. E2BIG_as `too_long` if no NUL within `max` bytes.
  virtual Result<std::string> read_cstr(UserAddr addr, size_t max, int too_long) = 0;
  // An aligned 32-bit word as it is in memory at this moment, never a copy that travelled with the
  // system call (futex words).
  virtual Result<uint32_t> load32(UserAddr addr) = 0;
  // For a thread that waits for a futex(2) and is in the queue already: the word as it is now, or a copy that
  // travelled along if nobody was woken since, so that the thread may have been in the queue then.
  virtual Result<uint32_t> futex_word(UserAddr addr) { return load32(addr); }
  // Atomic compare-and-exchange on an aligned 32-bit word (futex operations). Returns the old
  // value. EFAULT / EINVAL (misaligned).
  virtual Result<uint32_t> cmpxchg32(UserAddr addr, uint32_t expected, uint32_t desired) = 0;

  // Memory of the kernel's that stands for guest memory during a system call, so that data need not pass
  // through one more buffer. Both are optimisations: empty if there is none. The guest may change what is
  // there at any time. room: what is put there and reported with filled(), before any other access, is
  // written to [addr, addr + n).
  virtual std::span<uint8_t> room(UserAddr /*addr*/, size_t /*n*/) { return {}; }
  virtual void filled(UserAddr /*addr*/, size_t /*n*/) {}
  // The bytes of [addr, addr + n), all of them.
  virtual std::span<const uint8_t> view(UserAddr /*addr*/, size_t /*n*/) { return {}; }

  template <class T>
  Result<T> get(UserPtr<T> p) {
    static_assert(std::is_trivially_copyable_v<T>);
    T v;
    TRY(read(p.addr, &v, sizeof v));
    return v;
  }
  template <class T>
  Result<void> put(UserPtr<T> p, const T& v) {
    static_assert(std::is_trivially_copyable_v<T>);
    return write(p.addr, &v, sizeof v);
  }
  template <class T>
  Result<std::vector<T>> get_array(UserPtr<T> p, size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::vector<T> v(count);
    if (count != 0) TRY(read(p.addr, v.data(), count * sizeof(T)));
    return v;
  }
};

}  // namespace starry
