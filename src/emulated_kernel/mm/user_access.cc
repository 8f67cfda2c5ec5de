// Guest memory accesses: permission by the map, then the buffers that travelled along, then the host.
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "emulated_kernel/entry/fibers.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/task.h"

namespace starry {

bool Mm::in_current() const { return in_task() && current().mm.get() == this && current().host != nullptr; }

Result<void> Mm::read(UserAddr addr, void* dst, size_t n) {
  if (n == 0) return {};
  if (!grow_for_access(addr, n, PROT_READ)) return Error{EFAULT};
  if (in_current() && current().host->window_read(addr, dst, n)) return {};
  auto r = space->peek(addr, dst, n);
  return r.ok() && *r == n ? Result<void>() : Error{EFAULT};
}

Result<void> Mm::write(UserAddr addr, const void* src, size_t n) {
  if (n == 0) return {};
  if (!grow_for_access(addr, n, PROT_WRITE)) return Error{EFAULT};
  if (in_current() && current().host->window_write(addr, src, n)) return {};
  auto r = space->poke(addr, src, n);
  return r.ok() && *r == n ? Result<void>() : Error{EFAULT};
}

// Bytes from addr, at most n, that have `prot`.
static size_t accessible(const Mm& mm, UserAddr addr, size_t n, int prot) {
  size_t good = 0;
  while (good < n) {
    size_t step = std::min<size_t>(n - good, 4096 - ((addr + good) & 4095));
    if (!mm.range_has(addr + good, step, prot)) break;
    good += step;
  }
  return good;
}

Result<size_t> Mm::read_some(UserAddr addr, void* dst, size_t n) {
  if (n == 0) return size_t{0};
  size_t good = grow_for_access(addr, n, PROT_READ) ? n : accessible(*this, addr, n, PROT_READ);
  if (good == 0) return Error{EFAULT};
  if (in_current() && current().host->window_read(addr, dst, good)) return good;
  auto r = space->peek(addr, dst, good);
  return r.ok() && *r > 0 ? r : Result<size_t>(Error{EFAULT});
}

Result<size_t> Mm::write_some(UserAddr addr, const void* src, size_t n) {
  if (n == 0) return size_t{0};
  size_t good = grow_for_access(addr, n, PROT_WRITE) ? n : accessible(*this, addr, n, PROT_WRITE);
  if (good == 0) return Error{EFAULT};
  if (in_current() && current().host->window_write(addr, src, good)) return good;
  auto r = space->poke(addr, src, good);
  return r.ok() && *r > 0 ? r : Result<size_t>(Error{EFAULT});
}

std::span<uint8_t> Mm::room(UserAddr addr, size_t n) {
  if (!in_current() || !grow_for_access(addr, n, PROT_WRITE)) return {};
  uint8_t* p = current().host->window_room(n);
  return p != nullptr ? std::span(p, n) : std::span<uint8_t>();
}

void Mm::filled(UserAddr addr, size_t n) { current().host->window_filled(addr, n); }

std::span<const uint8_t> Mm::view(UserAddr addr, size_t n) {
  if (!in_current() || !grow_for_access(addr, n, PROT_READ)) return {};
  const uint8_t* p = current().host->window_view(addr, n);
  return p != nullptr ? std::span(p, n) : std::span<const uint8_t>();
}

Result<std::string> Mm::read_cstr(UserAddr addr, size_t max, int too_long) {
  std::string s;
  char buf[4096];
  while (s.size() < max) {
    size_t want = std::min<size_t>(max - s.size(), 4096 - (addr & 4095));
    if (!range_has(addr, 1, PROT_READ)) return Error{EFAULT};
    size_t n = in_current() ? current().host->window_prefix(addr, buf, want) : 0;
    if (n == 0) {
      auto r = space->peek(addr, buf, want);
      if (!r.ok() || *r == 0) return Error{EFAULT};
      n = *r;
    }
    if (const void* nul = std::memchr(buf, 0, n)) {
      s.append(buf, static_cast<size_t>(static_cast<const char*>(nul) - buf));
      return s;
    }
    s.append(buf, n);
    addr += n;
  }
  return Error{too_long};
}

Result<uint32_t> Mm::load32(UserAddr addr) {
  uint32_t v = 0;
  if ((addr & 3) != 0) return Error{EINVAL};
  if (!range_has(addr, 4, PROT_READ)) return Error{EFAULT};
  auto r = space->peek(addr, &v, 4);
  return r.ok() && *r == 4 ? Result<uint32_t>(v) : Error{EFAULT};
}

Result<uint32_t> Mm::futex_word(UserAddr addr) {
  if (in_current() && range_has(addr, 4, PROT_READ))
    if (const auto word = current().host->futex_word(addr)) return *word;
  return load32(addr);
}

Result<uint32_t> Mm::cmpxchg32(UserAddr addr, uint32_t expected, uint32_t desired) {
  if ((addr & 3) != 0) return Error{EINVAL};
  if (!range_has(addr, 4, PROT_WRITE)) return Error{EFAULT};
  if (in_current()) {
    HostOp op;
    op.nr = HostOp::CMPXCHG32;
    op.args[0] = addr, op.args[1] = expected, op.args[2] = desired;
    int64_t old = TRY(current().host->run_ops({&op, 1}));
    return static_cast<uint32_t>(old);
  }
  // Another address space, whose threads are gone or stopped (exit, robust lists).
  uint32_t old = TRY(load32(addr));
  if (old == expected) {
    auto r = space->poke(addr, &desired, 4);
    if (!r.ok()) return Error{EFAULT};
  }
  return old;
}

}  // namespace starry
