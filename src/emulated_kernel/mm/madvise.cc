// madvise(2) and msync(2).
#include <sys/mman.h>
#include <sys/syscall.h>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/page.h"

namespace starry {

namespace {

constexpr int DONTNEED_LOCKED = 24, COLLAPSE = 25;  // Linux 5.18 and 6.1

enum class Advice { nothing, host, flag, hint, unknown };

Advice kind_of(int advice) {
  switch (advice) {
    case MADV_WILLNEED:
    case MADV_COLD:
    case MADV_PAGEOUT:
      return Advice::nothing;
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
      return Advice::hint;
    case MADV_DONTNEED:
    case DONTNEED_LOCKED:
    case COLLAPSE:
    case MADV_FREE:
    case MADV_REMOVE:
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
      return Advice::host;
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
      return Advice::flag;
    default:
      return Advice::unknown;
  }
}

bool not_for_locked(int advice) {
  return advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE || advice == MADV_COLD ||
         advice == MADV_PAGEOUT;
}

// The hints of a range after `advice`.
uint8_t advised(uint8_t hints, int advice) {
  const auto change = [hints](int off, int on) { return static_cast<uint8_t>((hints & ~off) | on); };
  switch (advice) {
    case MADV_NORMAL:
      return change(HINT_RANDOM | HINT_SEQUENTIAL, 0);
    case MADV_RANDOM:
      return change(HINT_SEQUENTIAL, HINT_RANDOM);
    case MADV_SEQUENTIAL:
      return change(HINT_RANDOM, HINT_SEQUENTIAL);
    case MADV_HUGEPAGE:
      return change(HINT_NO_HUGEPAGE, HINT_HUGEPAGE);
    case MADV_NOHUGEPAGE:
      return change(HINT_HUGEPAGE, HINT_NO_HUGEPAGE);
    case MADV_MERGEABLE:
      return change(0, HINT_MERGEABLE);
    case MADV_UNMERGEABLE:
      return change(HINT_MERGEABLE, 0);
    case MADV_DONTDUMP:
      return change(0, HINT_DONT_DUMP);
    case MADV_DODUMP:
      return change(HINT_DONT_DUMP, 0);
    default:
      return hints;
  }
}

}  // namespace

Result<void> Mm::check_advice(uint64_t addr, uint64_t len) const {
  const uint64_t end = addr + page_up(len);
  if ((addr & (PAGE - 1)) != 0 || end < addr || (len != 0 && end == addr)) return Error{EINVAL};
  return end == addr || covered(addr, end) ? Result<void>() : Error{ENOMEM};
}

Result<void> Mm::madvise(HostThread& by, uint64_t addr, uint64_t len, int advice) {
  Advice kind = kind_of(advice);
  if (kind == Advice::unknown) return Error{EINVAL};
  MutexGuard guard(lock);
  // Holes do not stop the rest from being advised, but they are reported (ENOMEM).
  const Result<void> range = check_advice(addr, len);
  if (range.code() == EINVAL) return range.error();
  const uint64_t end = addr + page_up(len);
  if (end == addr) return {};
  for (auto it = vmas_.lower_bound(addr); it != vmas_.end() && it->second.start < end; ++it)
    if (((advice == MADV_WIPEONFORK || advice == MADV_FREE) && (it->second.file || it->second.shared())) ||
        (not_for_locked(advice) && it->second.locked()))
      return Error{EINVAL};
  HostOp op;
  op.nr = SYS_madvise;
  op.args[0] = addr, op.args[1] = end - addr,
  op.args[2] = static_cast<uint64_t>(advice == DONTNEED_LOCKED ? MADV_DONTNEED : advice);
  auto r = by.run_ops({&op, 1});
  // A hint that this host does not know changes nothing that the guest could see.
  const bool soft = kind == Advice::hint || kind == Advice::nothing;
  if (!r.ok() && !soft && r.code() != ENOMEM) return r.error();
  if (kind == Advice::flag || kind == Advice::hint) {
    split(addr);
    split(end);
    for (auto it = vmas_.lower_bound(addr); it != vmas_.end() && it->second.start < end; ++it) {
      if (advice == MADV_DONTFORK || advice == MADV_DOFORK) it->second.dont_fork = advice == MADV_DONTFORK;
      if (advice == MADV_WIPEONFORK || advice == MADV_KEEPONFORK)
        it->second.wipe_on_fork = advice == MADV_WIPEONFORK;
      it->second.hints = advised(it->second.hints, advice);
    }
    merge_around(addr, end);
  }
  return range;
}

Result<void> Mm::msync(HostThread& by, uint64_t addr, uint64_t len, int flags) {
  constexpr int KNOWN = MS_ASYNC | MS_INVALIDATE | MS_SYNC;
  if ((flags & ~KNOWN) != 0 || (addr & (PAGE - 1)) != 0) return Error{EINVAL};
  if ((flags & MS_ASYNC) != 0 && (flags & MS_SYNC) != 0) return Error{EINVAL};
  uint64_t end = addr + ((len + PAGE - 1) & ~(PAGE - 1));
  if (end < addr) return Error{ENOMEM};
  if (end == addr) return {};
  MutexGuard guard(lock);
  if ((flags & MS_INVALIDATE) != 0)
    for (auto it = vmas_.lower_bound(addr); it != vmas_.end() && it->second.start < end; ++it)
      if (it->second.locked()) return Error{EBUSY};
  if (!covered(addr, end)) return Error{ENOMEM};
  HostOp op;
  op.nr = SYS_msync;
  op.args[0] = addr, op.args[1] = end - addr, op.args[2] = static_cast<uint64_t>(flags);
  TRY(by.run_ops({&op, 1}));
  return {};
}

}  // namespace starry
