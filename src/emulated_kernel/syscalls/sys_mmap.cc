// The memory family: thin handlers over Mm, and the locking and residency calls that need no more.
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <vector>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/ipc/shm.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/task/task.h"

namespace starry {

static constexpr int CAP_IPC_LOCK_NR = 14;

static SysResult as_result(Result<void> r) { return r.ok() ? SysResult(0) : SysResult(r.error()); }
static SysResult as_result(Result<uint64_t> r) {
  return r.ok() ? SysResult(static_cast<int64_t>(*r)) : SysResult(r.error());
}

SysResult sys_mmap(Task& t, uint64_t addr, size_t length, int prot, int flags, int fd, uint64_t offset) {
  if ((offset & (PAGE - 1)) != 0) return Error{EINVAL};
  Ref<File> file;
  if ((flags & MAP_ANONYMOUS) == 0) file = TRY(get_file(t, fd));
  return as_result(t.mm->mmap(*t.host, addr, length, prot, flags, std::move(file), offset));
}

SysResult sys_munmap(Task& t, uint64_t addr, size_t length) {
  return as_result(t.mm->munmap(*t.host, addr, length));
}

SysResult sys_mprotect(Task& t, uint64_t addr, size_t len, int prot) {
  return as_result(t.mm->mprotect(*t.host, addr, len, prot));
}

SysResult sys_mremap(Task& t, uint64_t old_address, size_t old_size, size_t new_size, int flags,
                     uint64_t new_address) {
  return as_result(t.mm->mremap(*t.host, old_address, old_size, new_size, flags, new_address));
}

SysResult sys_brk(Task& t, uint64_t addr) { return as_result(t.mm->brk(*t.host, addr)); }

SysResult sys_madvise(Task& t, uint64_t addr, size_t length, int advice) {
  return as_result(t.mm->madvise(*t.host, addr, length, advice));
}

SysResult sys_msync(Task& t, uint64_t addr, size_t length, int flags) {
  return as_result(t.mm->msync(*t.host, addr, length, flags));
}

// mincore(2): the host knows which pages it holds; the guest's answer is one byte per page.
SysResult sys_mincore(Task& t, uint64_t addr, size_t length, UserPtr<uint8_t> vec) {
  if ((addr & (PAGE - 1)) != 0) return Error{EINVAL};
  uint64_t pages = (length + PAGE - 1) / PAGE;
  for (uint64_t i = 0; i < pages; ++i)
    if (t.mm->find(addr + i * PAGE) == nullptr) return Error{ENOMEM};
  if (pages == 0) return 0;
  if (!t.mm->range_has(vec.addr, pages, PROT_WRITE)) return Error{EFAULT};
  HostOp op;
  op.nr = 27;
  op.args[0] = addr, op.args[1] = length, op.args[2] = vec.addr;
  return t.host->run_ops({&op, 1});
}

// mlock(2) and friends: the accounting against RLIMIT_MEMLOCK is the kernel's; the host is not asked to
// pin pages, which an ordinary user could not do for many guests.
// The pages come into memory as with a real lock: mincore(2) shows it. They may leave it again.
static void populate(Task& t, uint64_t start, uint64_t end) {
  constexpr int POPULATE_READ = 22, POPULATE_WRITE = 23;  // MADV_*, Linux 5.14
  std::vector<HostOp> ops;
  for (const auto& [at, v] : t.mm->vmas()) {
    if (v.end <= start || v.start >= end || (v.prot & (PROT_READ | PROT_WRITE)) == 0) continue;
    HostOp op;
    op.nr = SYS_madvise;
    op.args[0] = std::max(start, v.start), op.args[1] = std::min(end, v.end) - op.args[0];
    op.args[2] = (v.prot & PROT_WRITE) != 0 && !v.shared() ? POPULATE_WRITE : POPULATE_READ;
    ops.push_back(op);
  }
  for (const HostOp& op : ops) (void)t.host->run_ops({&op, 1});
}

static SysResult set_locked(Task& t, uint64_t addr, size_t len, MemoryLock how) {
  uint64_t end = (addr + len + PAGE - 1) & ~(PAGE - 1);
  addr &= ~(PAGE - 1);
  if (end < addr) return Error{EINVAL};
  if (how != MemoryLock::none && !t.cred->capable(CAP_IPC_LOCK_NR)) {
    uint64_t limit = t.rlimit(RLIMIT_MEMLOCK);
    if (limit == 0) return Error{EPERM};
    if (limit != RLIM_INF && t.mm->locked_bytes(addr, end) + (end - addr) > limit) return Error{ENOMEM};
  }
  TRY(t.mm->set_locked(addr, end, how));
  if (how == MemoryLock::now) populate(t, addr, end);
  return 0;
}

SysResult sys_mlock(Task& t, uint64_t addr, size_t len) { return set_locked(t, addr, len, MemoryLock::now); }
SysResult sys_munlock(Task& t, uint64_t addr, size_t len) {
  return set_locked(t, addr, len, MemoryLock::none);
}

SysResult sys_mlock2(Task& t, uint64_t addr, size_t len, int flags) {
  if ((flags & ~MLOCK_ONFAULT) != 0) return Error{EINVAL};
  return set_locked(t, addr, len, (flags & MLOCK_ONFAULT) != 0 ? MemoryLock::on_fault : MemoryLock::now);
}

SysResult sys_mlockall(Task& t, int flags) {
  if (flags == 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) != 0 || flags == MCL_ONFAULT)
    return Error{EINVAL};
  if (!t.cred->capable(CAP_IPC_LOCK_NR)) {
    uint64_t limit = t.rlimit(RLIMIT_MEMLOCK);
    if (limit == 0) return Error{EPERM};
    if (limit != RLIM_INF && (flags & MCL_CURRENT) != 0 && t.mm->total_pages() * PAGE > limit)
      return Error{ENOMEM};
  }
  const MemoryLock how = (flags & MCL_ONFAULT) != 0 ? MemoryLock::on_fault : MemoryLock::now;
  t.mm->lock_future = (flags & MCL_FUTURE) != 0 ? how : MemoryLock::none;
  if ((flags & MCL_CURRENT) != 0) {
    t.mm->set_all_locked(how);
    if (how == MemoryLock::now) populate(t, 0, GUEST_TASK_SIZE);
  }
  return 0;
}

SysResult sys_munlockall(Task& t) {
  t.mm->lock_future = MemoryLock::none;
  t.mm->set_all_locked(MemoryLock::none);
  return 0;
}

// remap_file_pages(2), as Linux does it today: a new mapping of the same file in the place of the old one.
SysResult sys_remap_file_pages(Task& t, uint64_t addr, size_t size, int prot, size_t pgoff, int flags) {
  if (prot != 0) return Error{EINVAL};
  addr &= ~(PAGE - 1);
  size &= ~(PAGE - 1);
  if (addr + size <= addr || pgoff + size / PAGE < pgoff) return Error{EINVAL};
  const Vma* v = t.mm->find(addr);
  if (v == nullptr || !v->shared() || !v->file) return Error{EINVAL};
  for (const Vma* part = v; part->end < addr + size;) {  // may be in parts, but all of one kind
    const Vma* next = t.mm->find(part->end);
    if (next == nullptr || next->file != v->file || next->prot != v->prot || next->flags != v->flags)
      return Error{EINVAL};
    part = next;
  }
  const int map_flags =
      MAP_SHARED | MAP_FIXED | MAP_POPULATE | (flags & MAP_NONBLOCK) | (v->locked() ? MAP_LOCKED : 0);
  const int map_prot = v->prot;
  const Ref<File> file = v->file;
  TRY(shm_remap(t, file, addr, size));
  TRY(t.mm->mmap(*t.host, addr, size, map_prot, map_flags, file, pgoff * PAGE));
  return 0;
}

// No protection keys on this machine: as Linux without PKU.
SysResult sys_pkey_alloc(Task&, unsigned long flags, unsigned long access_rights) {
  (void)flags, (void)access_rights;
  return Error{EINVAL};
}
SysResult sys_pkey_free(Task&, int) { return Error{EINVAL}; }
SysResult sys_pkey_mprotect(Task& t, uint64_t addr, size_t len, int prot, int pkey) {
  const bool checked_later = (addr & (PAGE - 1)) == 0 && (len == 0 || addr + page_up(len) <= addr);
  if (pkey != -1 && !checked_later) return Error{EINVAL};
  return sys_mprotect(t, addr, len, prot);
}

}  // namespace starry
