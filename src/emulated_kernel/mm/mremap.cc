// mremap(2).
#include <sys/mman.h>
#include <sys/syscall.h>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/page.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

namespace starry {

static Result<int64_t> host_mremap(HostThread& by, uint64_t old_addr, uint64_t old_len, uint64_t new_len,
                                   int flags, uint64_t to) {
  HostOp op;
  op.nr = SYS_mremap;
  op.args[0] = old_addr, op.args[1] = old_len, op.args[2] = new_len;
  op.args[3] = static_cast<uint64_t>(flags), op.args[4] = to;
  return by.run_ops({&op, 1});
}

Result<uint64_t> Mm::move_mapping(HostThread& by, uint64_t old_addr, uint64_t old_len, uint64_t new_len,
                                  int flags, uint64_t to) {
  int host_flags = MREMAP_MAYMOVE | MREMAP_FIXED | (flags & MREMAP_DONTUNMAP);
  TRY(host_mremap(by, old_addr, old_len, new_len, host_flags, to));
  Vma moved = *find(old_addr);
  if (moved.file || moved.ino != 0) moved.offset += old_addr - moved.start;
  moved.start = to, moved.end = to + new_len;
  // old_len 0 duplicates a shared mapping; DONTUNMAP leaves the old range, empty.
  if (old_len != 0 && (flags & MREMAP_DONTUNMAP) == 0) erase(old_addr, old_addr + old_len);
  insert(std::move(moved));
  return to;
}

Result<uint64_t> Mm::mremap(HostThread& by, uint64_t old_addr, uint64_t old_len, uint64_t new_len, int flags,
                            uint64_t new_addr) {
  constexpr int KNOWN = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
  if ((flags & ~KNOWN) != 0 || (old_addr & (PAGE - 1)) != 0) return Error{EINVAL};
  bool fixed = (flags & MREMAP_FIXED) != 0, dont_unmap = (flags & MREMAP_DONTUNMAP) != 0;
  if ((fixed || dont_unmap) && (flags & MREMAP_MAYMOVE) == 0) return Error{EINVAL};
  old_len = (old_len + PAGE - 1) & ~(PAGE - 1);
  new_len = (new_len + PAGE - 1) & ~(PAGE - 1);
  if (new_len == 0 || (dont_unmap && old_len != new_len)) return Error{EINVAL};
  if (new_len > GUEST_TASK_SIZE) return Error{ENOMEM};
  MutexGuard guard(lock);
  const Vma* v = find(old_addr);
  if (v == nullptr) return Error{EFAULT};
  if (old_len == 0 && (!v->shared() || (flags & MREMAP_MAYMOVE) == 0)) return Error{EINVAL};

  if (fixed) {
    if ((new_addr & (PAGE - 1)) != 0 || new_addr > GUEST_TASK_SIZE || new_len > GUEST_TASK_SIZE - new_addr)
      return Error{EINVAL};
    if (new_addr < old_addr + old_len && old_addr < new_addr + new_len) return Error{EINVAL};
    TRY(choose_address(new_addr, new_len, MAP_FIXED));
    TRY(unmap_locked(by, new_addr, new_addr + new_len));
    v = find(old_addr);
    if (old_len > new_len) {
      TRY(unmap_locked(by, old_addr + new_len, old_addr + old_len));
      old_len = new_len;
      v = find(old_addr);
    }
    if (v == nullptr || old_addr + old_len > v->end) return Error{EFAULT};
    if (v->locked() && !may_lock_more(new_len - old_len)) return Error{EAGAIN};
    if (!within_limits(new_len - old_len, v->prot, v->flags)) return Error{ENOMEM};
    return move_mapping(by, old_addr, old_len, new_len, flags, new_addr);
  }
  if (old_len >= new_len && old_len != 0 && !dont_unmap) {
    if (!covered(old_addr, old_addr + new_len)) return Error{EFAULT};
    if (old_len > new_len) TRY(unmap_locked(by, old_addr + new_len, old_addr + old_len));
    return old_addr;
  }
  if (old_addr + old_len > v->end) return Error{EFAULT};
  uint64_t old_end = old_addr + old_len, new_end = old_addr + new_len;
  if (v->locked() && !may_lock_more(new_len - old_len)) return Error{EAGAIN};
  if (!within_limits(new_len - old_len, v->prot, v->flags)) return Error{ENOMEM};
  bool room = old_len != 0 && !dont_unmap && old_end == v->end && new_end <= GUEST_TASK_SIZE &&
              is_free(old_end, new_end) && !is_reserved(old_end, new_end);
  if (room && host_mremap(by, old_addr, old_len, new_len, 0, 0).ok()) {
    Vma grown = *v;
    if (grown.file || grown.ino != 0) grown.offset += old_end - grown.start;
    grown.start = old_end, grown.end = new_end;
    insert(std::move(grown));
    return old_addr;
  }
  if ((flags & MREMAP_MAYMOVE) == 0) return Error{ENOMEM};
  uint64_t to = TRY(choose_address(dont_unmap ? new_addr : 0, new_len, 0));
  return move_mapping(by, old_addr, old_len, new_len, flags, to);
}

}  // namespace starry
