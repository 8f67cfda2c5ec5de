// mmap(2), munmap(2), mprotect(2), brk(2): the map decides, the stub carries out.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <algorithm>

#include "emulated_kernel/entry/fibers.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/task/task.h"
#include "vfs/mount.h"

namespace starry {

namespace {

constexpr size_t MAX_MAPS = 65530;  // vm.max_map_count
// What the host is told besides MAP_FIXED and the kind of mapping.
constexpr int HOST_FLAGS = MAP_NORESERVE | MAP_POPULATE | MAP_STACK;

// LEGACY_MAP_MASK of Linux: what MAP_SHARED_VALIDATE knows. The upper bits are the size of huge pages.
constexpr int VALIDATED_FLAGS = MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE |
                                MAP_EXECUTABLE | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE |
                                MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT |
                                static_cast<int>(0x3fU << 26);

// MS_NOEXEC: nothing on that mount is executed. That of secret memory is one of them.
bool on_noexec_mount(const File& f) {
  if (f.secret()) return true;
  return f.path && f.path->mount && (f.path->mount->flags & MS_NOEXEC) != 0;
}

HostOp host_op(int64_t nr, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0) {
  HostOp op;
  op.nr = nr;
  op.args[0] = a, op.args[1] = b, op.args[2] = c, op.args[3] = d;
  op.args[4] = ~0ULL;
  return op;
}

bool sealed_for_writing(File& f) {
  auto seals = f.seals();
  return seals.ok() && (*seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0;
}

// Identity of shared anonymous memory, for futex keys and /proc/PID/maps.
uint64_t next_shared_ino() {
  static uint64_t last = 0;
  return ++last;
}

}  // namespace

Result<uint64_t> Mm::mmap(HostThread& by, uint64_t addr, uint64_t len, int prot, int flags, Ref<File> file,
                          uint64_t offset, std::string name) {
  if (len == 0 || (offset & (PAGE - 1)) != 0) return Error{EINVAL};
  if (len > GUEST_TASK_SIZE) return Error{ENOMEM};
  len = page_up(len);
  if (offset + len < offset) return Error{EOVERFLOW};
  int type = flags & MAP_TYPE;
  if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE) return Error{EINVAL};
  if (type == MAP_SHARED_VALIDATE) {
    if (!file) return Error{EINVAL};
    if ((flags & ~VALIDATED_FLAGS) != 0) return Error{EOPNOTSUPP};
  }
  if ((flags & MAP_HUGETLB) != 0) return Error{ENOMEM};  // no huge pages are reserved
  bool shared = type != MAP_PRIVATE;
  prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
  // PROT_READ|PROT_WRITE mapping of the first page is refused by choose_address.
  MapBacking backing;
  Vma v;
  if (file) {
    if ((file->flags() & O_PATH) != 0) return Error{EBADF};
    if (!file->readable()) return Error{EACCES};
    if (shared && (prot & PROT_WRITE) != 0 && !file->writable()) return Error{EACCES};
    if ((prot & PROT_EXEC) != 0 && on_noexec_mount(*file)) return Error{EPERM};
    if ((flags & MAP_GROWSDOWN) != 0) return Error{EINVAL};
    backing = TRY(file->map_backing(shared, prot));
    auto st = file->stat();
    if (st.ok()) v.dev = st->dev, v.ino = st->ino;
    v.may_write = !shared || (file->writable() && !sealed_for_writing(*file));
  } else if (shared && (flags & MAP_GROWSDOWN) != 0) {
    return Error{EINVAL};
  }
  MutexGuard guard(lock);
  if (!within_limits(len, prot, flags)) return Error{ENOMEM};
  if (vmas_.size() >= MAX_MAPS) return Error{ENOMEM};
  uint64_t at = TRY(choose_address(addr, len, flags));

  v.mlock = (flags & MAP_LOCKED) != 0 && lock_future == MemoryLock::none ? MemoryLock::now : lock_future;
  const bool secret = file && file->secret();
  if (secret) v.mlock = MemoryLock::now, v.hints = HINT_DONT_DUMP;
  if (v.locked() && in_task()) {
    if ((flags & MAP_LOCKED) != 0 && current().rlimit(RLIMIT_MEMLOCK) == 0 && !may_lock_more(1))
      return Error{EPERM};
    if (!may_lock_more(len)) return Error{EAGAIN};
  }
  v.start = at, v.end = at + len;
  v.prot = prot;
  v.flags = (shared ? MAP_SHARED : MAP_PRIVATE) | (flags & (MAP_GROWSDOWN | MAP_NORESERVE | MAP_STACK));
  v.file = backing.host_fd >= 0 ? file : nullptr;
  v.offset = v.file ? offset : 0;
  v.name = std::move(name);
  if (!v.file && shared) {
    v.dev = 1, v.ino = next_shared_ino();
    v.name = "/dev/zero (deleted)";
  }
  int host_flags = (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED | (flags & HOST_FLAGS);
  if (v.mlock == MemoryLock::now) host_flags |= MAP_POPULATE;
  if (backing.host_fd < 0) host_flags |= MAP_ANONYMOUS;
  HostOp op = host_op(SYS_mmap, at, len, static_cast<uint64_t>(prot), static_cast<uint64_t>(host_flags));
  op.fd = backing.host_fd;
  op.args[5] = backing.host_fd >= 0 ? offset + backing.offset_delta : 0;
  auto r = by.run_ops({&op, 1});
  if (!r.ok()) {
    // A failed MAP_FIXED may have removed what was there.
    if ((flags & MAP_FIXED) != 0) erase(at, at + len);
    return r.error();
  }
  insert(std::move(v));
  return at;
}

Result<void> Mm::unmap_locked(HostThread& by, uint64_t start, uint64_t end) {
  HostOp op = host_op(SYS_munmap, start, end - start);
  if (!is_free(start, end)) TRY(by.run_ops({&op, 1}));
  erase(start, end);
  return {};
}

Result<void> Mm::munmap(HostThread& by, uint64_t addr, uint64_t len) {
  if ((addr & (PAGE - 1)) != 0 || addr > GUEST_TASK_SIZE || len > GUEST_TASK_SIZE - addr)
    return Error{EINVAL};
  len = page_up(len);
  if (len == 0 || is_reserved(addr, addr + len)) return Error{EINVAL};
  MutexGuard guard(lock);
  const uint64_t end = addr + len;
  if (is_free(addr, end)) return {};
  const HostOp op = host_op(SYS_munmap, addr, len);
  // Near the limit it may fail: it can cut a map in two. Debuggers look before the guest goes on.
  if (vmas_.size() < MAX_MAPS / 2 && in_task() && !current().ptrace)
    TRY(by.run_op_on_return(op));
  else
    TRY(by.run_ops({&op, 1}));
  erase(addr, end);
  return {};
}

Result<void> Mm::mprotect(HostThread& by, uint64_t addr, uint64_t len, int prot) {
  constexpr int SEM = 0x8;  // PROT_SEM of asm-generic/mman-common.h
  constexpr int KNOWN = PROT_READ | PROT_WRITE | PROT_EXEC | SEM | PROT_GROWSDOWN | PROT_GROWSUP;
  if ((addr & (PAGE - 1)) != 0) return Error{EINVAL};
  if ((prot & PROT_GROWSDOWN) != 0 && (prot & PROT_GROWSUP) != 0) return Error{EINVAL};
  if (len == 0) return {};
  len = page_up(len);
  uint64_t end = addr + len;
  if (end <= addr) return Error{ENOMEM};
  if ((prot & ~KNOWN) != 0) return Error{EINVAL};
  MutexGuard guard(lock);
  if ((prot & PROT_GROWSDOWN) != 0) {
    auto it = vmas_.upper_bound(addr);  // the first map that ends behind addr
    if (it != vmas_.begin() && std::prev(it)->second.end > addr) --it;
    if (it == vmas_.end() || it->second.start >= end) return Error{ENOMEM};
    if ((it->second.flags & MAP_GROWSDOWN) == 0) return Error{EINVAL};
    addr = it->second.start;
  } else if ((prot & PROT_GROWSUP) != 0) {
    return Error{find(addr) == nullptr ? ENOMEM : EINVAL};
  }
  prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
  // What comes before an obstacle is changed, as on Linux.
  uint64_t stop = addr;
  int error = 0;
  while (stop < end && error == 0) {
    const Vma* v = find(stop);
    if (v == nullptr)
      error = ENOMEM;
    else if (((prot & PROT_WRITE) != 0 && !v->may_write) ||
             ((prot & PROT_EXEC) != 0 && v->file && on_noexec_mount(*v->file)))
      error = EACCES;
    else if ((prot & PROT_WRITE) != 0 && (v->prot & PROT_WRITE) == 0 && !v->shared() &&
             !within_data_limit(std::min(v->end, end) - stop))
      error = ENOMEM;
    else
      stop = v->end;
  }
  stop = std::min(stop, end);
  if (stop == addr) return Error{error};
  HostOp op = host_op(SYS_mprotect, addr, stop - addr, static_cast<uint64_t>(prot));
  TRY(by.run_ops({&op, 1}));
  split(addr);
  split(stop);
  for (auto it = vmas_.lower_bound(addr); it != vmas_.end() && it->second.start < stop; ++it)
    it->second.prot = prot;
  merge_around(addr, stop);
  return error == 0 ? Result<void>() : Error{error};
}

// brk(2): returns the new break, or the old one when it cannot be moved.
Result<uint64_t> Mm::brk(HostThread& by, uint64_t addr) {
  MutexGuard guard(lock);
  if (addr < brk_start || addr > GUEST_TASK_SIZE) return brk_end;
  uint64_t old_top = page_up(brk_end), new_top = page_up(addr);
  if (in_task()) {
    uint64_t data_limit = current().rlimit(RLIMIT_DATA);
    if (data_limit != RLIM_INF && addr - brk_start + (data_end - data_start) > data_limit) return brk_end;
  }
  if (new_top > old_top) {
    constexpr int PROT = PROT_READ | PROT_WRITE;
    const uint64_t more = new_top - old_top;
    if (is_reserved(old_top, new_top + PAGE) || !is_free(old_top, new_top + PAGE) ||
        !within_limits(more, PROT, MAP_PRIVATE))
      return brk_end;
    if (lock_future != MemoryLock::none && !may_lock_more(more)) return brk_end;
    HostOp op = host_op(SYS_mmap, old_top, new_top - old_top, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
    if (!by.run_ops({&op, 1}).ok()) return brk_end;
    Vma v;
    v.start = old_top, v.end = new_top;
    v.prot = PROT_READ | PROT_WRITE;
    v.flags = MAP_PRIVATE;
    v.name = "[heap]";
    v.mlock = lock_future;
    insert(std::move(v));
  } else if (new_top < old_top) {
    if (!unmap_locked(by, new_top, old_top).ok()) return brk_end;
  }
  brk_end = addr;
  return brk_end;
}

}  // namespace starry
