// Stacks grow down when they are used (MAP_GROWSDOWN): by faults of the guest, by accesses of the kernel on
// its behalf and by signal frames.
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {}

bool Mm::grow_stack(HostThread& by, uint64_t addr) {
  addr &= ~(PAGE - 1);
  // The usual fault is elsewhere: no lock for that.
  const auto above = [&] { return vmas_.upper_bound(addr); };
  auto it = above();
  if (it == vmas_.end() || (it->second.flags & MAP_GROWSDOWN) == 0) return false;

  const MutexGuard guard(lock);
  if (find(addr) != nullptr) return true;  // another thread's fault was first
  it = above();
  if (it == vmas_.end() || (it->second.flags & MAP_GROWSDOWN) == 0) return false;
  Vma stack = it->second;
  const uint64_t more = stack.start - addr;
  // expand_downwards(), acct_stack_growth()
  if (addr < GUEST_MIN_ADDR || is_reserved(addr, stack.start)) return false;
  if (it != vmas_.begin()) {
    const Vma& below = std::prev(it)->second;
    const bool another_stack = (below.flags & MAP_GROWSDOWN) != 0;
    if (!another_stack && below.prot != PROT_NONE && addr - below.end < GUEST_STACK_GUARD) return false;
  }
  if (stack.end - addr > current().rlimit(RLIMIT_STACK) || !within_limits(more)) return false;
  if (stack.locked() && !may_lock_more(more)) return false;

  HostOp op;
  op.nr = SYS_mmap;
  op.args[0] = addr, op.args[1] = more, op.args[2] = static_cast<uint64_t>(stack.prot);
  op.args[3] = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, op.args[4] = ~0ULL;
  if (!by.run_ops({&op, 1}).ok()) return false;
  stack.end = stack.start;
  stack.start = addr;
  insert(std::move(stack));  // merges with what was there
  return true;
}

void Mm::grow_for_frame(HostThread& by, uint64_t sp, uint64_t size) {
  if (!range_has(sp - size, size, PROT_WRITE)) (void)grow_stack(by, sp - size);
}

bool Mm::grow_for_access(uint64_t addr, size_t n, int prot) {
  if (range_has(addr, n, prot)) [[likely]]
    return true;
  if (!in_current() || n == 0 || addr + n < addr) return false;
  // The lowest byte that is not mapped decides: growing to it covers what lies between it and the stack.
  uint64_t at = addr;
  while (at < addr + n) {
    const Vma* v = find(at);
    if (v == nullptr) break;
    at = v->end;
  }
  if (at >= addr + n || !grow_stack(*current().host, at)) return false;
  return range_has(addr, n, prot);
}

}  // namespace starry
