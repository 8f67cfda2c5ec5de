// The map itself: lookup, gaps, cutting and merging. No host operations here.
#include <sys/mman.h>

#include <algorithm>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/entry/fibers.h"
#include "emulated_kernel/ipc/shm.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/task.h"

namespace starry {

Mm::Mm(Ref<HostSpace> s) : space(std::move(s)) {}
Mm::~Mm() {
  for (const auto& [start, v] : vmas_) shm_closed(v.file);
}

const Vma* Mm::find(uint64_t addr) const {
  if (last_ != nullptr && addr >= last_->start && addr < last_->end) return last_;
  auto it = vmas_.upper_bound(addr);
  if (it == vmas_.begin()) return nullptr;
  --it;
  if (addr >= it->second.end) return nullptr;
  return last_ = &it->second;
}

bool Mm::range_has(uint64_t addr, uint64_t len, int prot) const {
  uint64_t end = addr + len;
  if (end < addr || end > GUEST_TASK_SIZE) return false;
  while (addr < end) {
    const Vma* v = find(addr);
    if (v == nullptr) return false;
    // x86: a page that may be written or executed may be read.
    if (prot == PROT_READ ? v->prot == PROT_NONE : (v->prot & prot) != prot) return false;
    addr = v->end;
  }
  return true;
}

bool Mm::covered(uint64_t start, uint64_t end) const {
  while (start < end) {
    const Vma* v = find(start);
    if (v == nullptr) return false;
    start = v->end;
  }
  return true;
}

bool Mm::is_free(uint64_t start, uint64_t end) const {
  auto it = vmas_.lower_bound(start);
  if (it != vmas_.end() && it->second.start < end) return false;
  if (it == vmas_.begin()) return true;
  return std::prev(it)->second.end <= start;
}

// Start of the lowest reserved window that touches the range.
static uint64_t window_in_the_way(uint64_t start, uint64_t end) {
  uint64_t lowest = UINT64_MAX;
  if (start < GUEST_RESERVED_END && end > GUEST_RESERVED_START) lowest = GUEST_RESERVED_START;
  for (const AddressRange& r : GUEST_TRAMPOLINES)
    if (start < r.end && end > r.start) lowest = std::min(lowest, r.start);
  return lowest;
}

// vm_start_gap(): room that a stack keeps below it.
static uint64_t gap_start(const Vma& v) {
  return (v.flags & MAP_GROWSDOWN) != 0 ? v.start - std::min(v.start, GUEST_STACK_GUARD) : v.start;
}

uint64_t Mm::find_gap(uint64_t len, uint64_t bottom, uint64_t top) const {
  uint64_t high = top;
  auto it = vmas_.lower_bound(top);
  for (;;) {
    uint64_t low = bottom;
    bool more = it != vmas_.begin();
    if (more) {
      --it;
      low = std::max(bottom, it->second.end);
    }
    if (high > low && high - low >= len) {
      uint64_t at = high - len;
      // Below whatever reserved window is in the way; each step leaves one behind.
      while (at >= low && is_reserved(at, at + len)) {
        uint64_t below = window_in_the_way(at, at + len);
        if (below < low + len) break;
        at = below - len;
      }
      if (!is_reserved(at, at + len)) return at;
    }
    if (!more || it->second.start <= bottom) return 0;
    high = std::min(high, gap_start(it->second));
  }
}

// mmap(2): a hint is taken if the range is free, else the kernel chooses, top down.
Result<uint64_t> Mm::choose_address(uint64_t addr, uint64_t len, int flags) const {
  if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0) {
    if ((addr & 4095) != 0) return Error{EINVAL};
    if (addr > GUEST_TASK_SIZE || len > GUEST_TASK_SIZE - addr) return Error{ENOMEM};
    // There is something, even if the guest does not see it.
    if (is_reserved(addr, addr + len)) return Error{(flags & MAP_FIXED_NOREPLACE) != 0 ? EEXIST : ENOMEM};
    if (addr < GUEST_MIN_ADDR) return Error{EPERM};
    if ((flags & MAP_FIXED_NOREPLACE) != 0 && !is_free(addr, addr + len)) return Error{EEXIST};
    return addr;
  }
  if ((flags & MAP_32BIT) != 0) {
    uint64_t at = find_gap(len, 0x40000000, 0x80000000);
    return at != 0 ? Result<uint64_t>(at) : Error{ENOMEM};
  }
  if (addr != 0) {
    addr = (addr + 4095) & ~4095ULL;
    if (addr >= GUEST_MIN_ADDR && len <= GUEST_TASK_SIZE - std::min(addr, GUEST_TASK_SIZE) &&
        !is_reserved(addr, addr + len) && is_free(addr, addr + len))
      return addr;
  }
  uint64_t at = find_gap(len, GUEST_MIN_ADDR, mmap_top);
  return at != 0 ? Result<uint64_t>(at) : Error{ENOMEM};
}

void Mm::split(uint64_t at) {
  auto it = vmas_.upper_bound(at);
  if (it == vmas_.begin()) return;
  --it;
  Vma& v = it->second;
  if (at <= v.start || at >= v.end) return;
  Vma tail = v;
  tail.start = at;
  if (tail.file || tail.ino != 0) tail.offset += at - v.start;
  v.end = at;
  shm_opened(tail.file);
  vmas_.emplace(at, std::move(tail));
}

void Mm::erase(uint64_t start, uint64_t end) {
  split(start);
  split(end);
  last_ = nullptr;
  const auto from = vmas_.lower_bound(start), to = vmas_.lower_bound(end);
  for (auto it = from; it != to; ++it) shm_closed(it->second.file);
  vmas_.erase(from, to);
}

static bool can_merge(const Vma& a, const Vma& b) {
  return a.end == b.start && a.prot == b.prot && a.flags == b.flags && a.file == b.file && a.dev == b.dev &&
         a.ino == b.ino && a.name == b.name && a.may_write == b.may_write && a.mlock == b.mlock &&
         a.hints == b.hints && a.mempolicy == b.mempolicy && a.on_node0 == b.on_node0 &&
         a.dont_fork == b.dont_fork && a.wipe_on_fork == b.wipe_on_fork &&
         ((!a.file && a.ino == 0) || a.offset + (a.end - a.start) == b.offset);
}

void Mm::merge_around(uint64_t start, uint64_t end) {
  auto it = vmas_.lower_bound(start);
  if (it != vmas_.begin()) --it;
  last_ = nullptr;
  while (it != vmas_.end() && it->second.start <= end) {
    auto next = std::next(it);
    if (next == vmas_.end()) return;
    if (can_merge(it->second, next->second)) {
      it->second.end = next->second.end;
      vmas_.erase(next);
    } else {
      it = next;
    }
  }
}

void Mm::insert(Vma v) {
  uint64_t start = v.start, end = v.end;
  erase(start, end);
  vmas_.insert_or_assign(start, std::move(v));
  merge_around(start, end);
  peak_pages = std::max(peak_pages, total_pages());
}

void Mm::adopt(Vma v) {
  if (v.name == "[vdso]") vdso = v.start;
  insert(std::move(v));
}

uint64_t Mm::total_pages() const {
  uint64_t n = 0;
  for (const auto& [start, v] : vmas_) n += (v.end - v.start) >> 12;
  return n;
}

static bool is_data(int prot, int flags) {
  return (prot & PROT_WRITE) != 0 && (flags & MAP_PRIVATE) != 0 && (flags & MAP_GROWSDOWN) == 0;
}

uint64_t Mm::data_pages() const {
  uint64_t n = 0;
  for (const auto& [start, v] : vmas_)
    if (is_data(v.prot, v.flags)) n += (v.end - v.start) >> 12;
  return n;
}

bool Mm::within_limits(uint64_t more_bytes, int prot, int flags) const {
  if (!in_task()) return true;
  const uint64_t limit = current().rlimit(RLIMIT_AS);
  if (limit != RLIM_INF && (total_pages() << 12) + more_bytes > limit) return false;
  return !is_data(prot, flags) || within_data_limit(more_bytes);
}

bool Mm::within_data_limit(uint64_t more_bytes) const {
  if (!in_task()) return true;
  const uint64_t limit = current().rlimit(RLIMIT_DATA);
  return limit == RLIM_INF || (data_pages() << 12) + more_bytes <= limit;
}

bool Mm::may_lock_more(uint64_t bytes) const {
  constexpr int CAP_IPC_LOCK_NR = 14;
  if (!in_task() || current().cred->capable(CAP_IPC_LOCK_NR)) return true;
  const uint64_t limit = current().rlimit(RLIMIT_MEMLOCK);
  return limit == RLIM_INF || locked_bytes(0, 0) + bytes <= limit;
}

uint64_t Mm::locked_bytes(uint64_t start, uint64_t end) const {
  uint64_t n = 0;
  for (const auto& [at, v] : vmas_) {
    if (!v.locked()) continue;
    const uint64_t low = std::max(v.start, start), high = std::min(v.end, end);
    n += v.end - v.start - (high > low ? high - low : 0);
  }
  return n;
}

void Mm::set_mempolicy(uint64_t start, uint64_t end, int policy, bool on_node0) {
  split(start);
  split(end);
  for (auto it = vmas_.lower_bound(start); it != vmas_.end() && it->second.start < end; ++it) {
    it->second.mempolicy = policy;
    it->second.on_node0 = on_node0;
  }
  merge_around(start, end);
}

// Secret memory stays locked.
static void set_lock(Vma& v, MemoryLock how) {
  if (!v.file || !v.file->secret()) v.mlock = how;
}

Result<void> Mm::set_locked(uint64_t start, uint64_t end, MemoryLock how) {
  uint64_t stop = start;  // what comes before a hole is done, as on Linux
  while (stop < end) {
    const Vma* v = find(stop);
    if (v == nullptr) break;
    stop = std::min(v->end, end);
  }
  if (stop == start) return start == end ? Result<void>() : Error{ENOMEM};
  split(start);
  split(stop);
  for (auto it = vmas_.lower_bound(start); it != vmas_.end() && it->second.start < stop; ++it)
    set_lock(it->second, how);
  merge_around(start, stop);
  return stop == end ? Result<void>() : Error{ENOMEM};
}

void Mm::set_all_locked(MemoryLock how) {
  for (auto& [at, v] : vmas_) set_lock(v, how);
}

Ref<Mm> Mm::fork(Ref<HostSpace> s) {
  auto child = make_ref<Mm>(std::move(s));
  for (const auto& [start, v] : vmas_)
    if (!v.dont_fork) {
      Vma copy = v;
      copy.mlock = MemoryLock::none;
      shm_opened(copy.file);
      child->vmas_.emplace(start, std::move(copy));
    }
  child->brk_start = brk_start, child->brk_end = brk_end;
  child->arg_start = arg_start, child->arg_end = arg_end;
  child->env_start = env_start, child->env_end = env_end, child->stack_start = stack_start;
  child->code_start = code_start, child->code_end = code_end;
  child->data_start = data_start, child->data_end = data_end;
  child->mmap_top = mmap_top;
  child->vdso = vdso, child->auxv = auxv, child->peak_pages = peak_pages;
  child->membarrier_registered = membarrier_registered;
  return child;
}

}  // namespace starry
