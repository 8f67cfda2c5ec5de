// The memory map of one address space (struct mm_struct). Host mappings hold the pages; this class
// holds the truth about what the guest mapped, chooses addresses and drives the stub's mapping calls.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/user_ptr.h"
#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/platform.h"
#include "emulated_kernel/sync/wait.h"

namespace starry {

class Inode;  // vfs/inode.h
class Task;

// mlock(2) and mlock2(2).
enum class MemoryLock : uint8_t { none, now, on_fault };

// What madvise(2) has said of a range and only smaps and core dumps show.
enum VmHint : uint8_t {
  HINT_SEQUENTIAL = 1,
  HINT_RANDOM = 2,
  HINT_DONT_DUMP = 4,
  HINT_HUGEPAGE = 8,
  HINT_NO_HUGEPAGE = 16,
  HINT_MERGEABLE = 32,
};

// One mapped range. Key of the map is `start`; neighbours that could be one are merged.
struct Vma {
  uint64_t start = 0, end = 0;
  int prot = 0;         // PROT_*
  int flags = 0;        // MAP_SHARED or MAP_PRIVATE, MAP_GROWSDOWN, MAP_NORESERVE, MAP_LOCKED
  Ref<File> file;       // null: anonymous
  uint64_t offset = 0;  // of start, in file
  uint64_t dev = 0, ino = 0;
  std::string name;  // path for /proc/self/maps, "[heap]", "[stack]", "[vdso]", "[anon:x]"
  bool dont_fork = false, wipe_on_fork = false;
  MemoryLock mlock = MemoryLock::none;
  uint8_t hints = 0;      // VmHint
  int mempolicy = 0;      // of mbind(2), with its mode flags; 0: MPOL_DEFAULT
  bool on_node0 = false;  // node 0, the only one, is in its mask
  bool may_write = true;  // VM_MAYWRITE: false for shared mappings of files that may not be written
  bool shared() const { return (flags & 0x01) != 0; }
  bool locked() const { return mlock != MemoryLock::none; }
};

// Guest addresses. The reserved window holds stub, channels and per-thread areas; no guest mapping
// may touch it. Others as on x86-64 Linux without randomisation.
inline constexpr uint64_t GUEST_MIN_ADDR = 0x10000;  // vm.mmap_min_addr
inline constexpr uint64_t GUEST_TASK_SIZE = 0x7ffffffff000;
inline constexpr uint64_t GUEST_RESERVED_START = 0x6f0000000000;
inline constexpr uint64_t GUEST_RESERVED_END = 0x700000000000;
// Small windows beside programs and libraries for the jumps of rewritten system calls (tracer/trampoline.h).
struct AddressRange {
  uint64_t start, end;
};
inline constexpr AddressRange GUEST_TRAMPOLINES[] = {
    {0x7fff80000000, 0x7fff80100000}, {0x555553e00000, 0x555553f00000}, {0x100000, 0x200000}};
inline constexpr bool is_reserved(uint64_t start, uint64_t end) {
  if (start < GUEST_RESERVED_END && end > GUEST_RESERVED_START) return true;
  for (const AddressRange& r : GUEST_TRAMPOLINES)
    if (start < r.end && end > r.start) return true;
  return false;
}
inline constexpr uint64_t GUEST_STACK_TOP = 0x7ffffffff000;
// Where mmap grows down from, unless the stack limit is large; and stack_guard_gap, which keeps maps away
// from the lower end of a stack.
inline constexpr uint64_t GUEST_MMAP_TOP = 0x7ffff7fff000;
inline constexpr uint64_t GUEST_STACK_GUARD = 1 << 20;
inline constexpr uint64_t GUEST_PIE_BASE = 0x555555554000;  // ELF_ET_DYN_BASE without ASLR

// True if a shared mapping of the file, in any process, may be written to: what F_SEAL_WRITE waits for.
bool mapped_for_writing(const Inode& inode);

class Mm final : public RefCounted, public UserMemory {
 public:
  explicit Mm(Ref<HostSpace> space);
  ~Mm() override;

  // System calls of the family; addresses and errors as in their man pages. They lock the map and may
  // suspend the fiber. `by` is the thread whose carrier performs the operations.
  Result<uint64_t> mmap(HostThread& by, uint64_t addr, uint64_t len, int prot, int flags, Ref<File> file,
                        uint64_t offset, std::string name = {});
  Result<void> munmap(HostThread& by, uint64_t addr, uint64_t len);
  Result<void> mprotect(HostThread& by, uint64_t addr, uint64_t len, int prot);
  Result<uint64_t> mremap(HostThread& by, uint64_t old_addr, uint64_t old_len, uint64_t new_len, int flags,
                          uint64_t new_addr);
  Result<uint64_t> brk(HostThread& by, uint64_t addr);
  Result<void> madvise(HostThread& by, uint64_t addr, uint64_t len, int advice);
  // What madvise(2) says of the range alone: EINVAL, ENOMEM.
  Result<void> check_advice(uint64_t addr, uint64_t len) const;
  Result<void> msync(HostThread& by, uint64_t addr, uint64_t len, int flags);

  // PR_SET_VMA_ANON_NAME: names anonymous memory for /proc/self/maps; empty takes the name away.
  Result<void> set_anon_name(uint64_t addr, uint64_t len, const std::string& name);

  // A fault, or an access by the kernel, at `addr` where nothing is mapped: the stack above grows down to
  // it (MAP_GROWSDOWN), within RLIMIT_STACK. False if there is none, or it may not.
  bool grow_stack(HostThread& by, uint64_t addr);

  // The stub is about to write `size` bytes below `sp`.
  void grow_for_frame(HostThread& by, uint64_t sp, uint64_t size);

  // Copies map and limits for fork(2); `space` is the forked host process.
  Ref<Mm> fork(Ref<HostSpace> space);
  // Records a mapping that exists already (vdso, vvar of a new space).
  void adopt(Vma vma);

  // UserMemory
  Result<void> read(UserAddr addr, void* dst, size_t n) override;
  Result<void> write(UserAddr addr, const void* src, size_t n) override;
  Result<size_t> read_some(UserAddr addr, void* dst, size_t n) override;
  Result<size_t> write_some(UserAddr addr, const void* src, size_t n) override;
  std::span<uint8_t> room(UserAddr addr, size_t n) override;
  void filled(UserAddr addr, size_t n) override;
  std::span<const uint8_t> view(UserAddr addr, size_t n) override;
  Result<std::string> read_cstr(UserAddr addr, size_t max, int too_long) override;
  Result<uint32_t> load32(UserAddr addr) override;
  Result<uint32_t> futex_word(UserAddr addr) override;
  Result<uint32_t> cmpxchg32(UserAddr addr, uint32_t expected, uint32_t desired) override;

  const Vma* find(uint64_t addr) const;  // the vma that contains addr, or null
  // True if every byte of the range is mapped with all of `prot`.
  bool range_has(uint64_t addr, uint64_t len, int prot) const;
  const std::map<uint64_t, Vma>& vmas() const { return vmas_; }
  uint64_t total_pages() const;  // for RLIMIT_AS, VmSize
  uint64_t data_pages() const;   // private, writable, no stack: for RLIMIT_DATA
  // mlock(2)'s bookkeeping. locked_bytes counts outside [start, end). ENOMEM at a hole: what
  // comes before it is done.
  uint64_t locked_bytes(uint64_t start, uint64_t end) const;
  // mbind(2) of what is mapped without a hole.
  void set_mempolicy(uint64_t start, uint64_t end, int policy, bool on_node0);
  Result<void> set_locked(uint64_t start, uint64_t end, MemoryLock how);
  void set_all_locked(MemoryLock how);

  Ref<HostSpace> space;
  Mutex lock;
  uint64_t brk_start = 0, brk_end = 0;
  uint64_t arg_start = 0, arg_end = 0, env_start = 0, env_end = 0, stack_start = 0;
  uint64_t code_start = 0, code_end = 0, data_start = 0, data_end = 0;
  uint64_t vdso = 0;                   // AT_SYSINFO_EHDR, 0 if none
  std::vector<uint8_t> auxv;           // /proc/self/auxv
  uint64_t mmap_top = GUEST_MMAP_TOP;  // mmap_base: depends on RLIMIT_STACK at exec
  uint64_t peak_pages = 0;
  MemoryLock lock_future = MemoryLock::none;  // MCL_FUTURE
  int membarrier_registered = 0;              // MEMBARRIER_CMD_REGISTER_* of membarrier(2); kept by fork

 private:
  using Map = std::map<uint64_t, Vma>;
  // Highest free range of `len` bytes below `top` (and above `bottom`); 0 when there is none.
  uint64_t find_gap(uint64_t len, uint64_t bottom, uint64_t top) const;
  bool is_free(uint64_t start, uint64_t end) const;
  Result<uint64_t> choose_address(uint64_t addr, uint64_t len, int flags) const;
  // Cuts the map so that no Vma crosses `at`.
  void split(uint64_t at);
  void erase(uint64_t start, uint64_t end);
  void insert(Vma v);
  void merge_around(uint64_t start, uint64_t end);
  Result<void> unmap_locked(HostThread& by, uint64_t start, uint64_t end);
  Result<uint64_t> move_mapping(HostThread& by, uint64_t old_addr, uint64_t old_len, uint64_t new_len,
                                int flags, uint64_t to);
  // Every byte of [start, end) is mapped.
  bool covered(uint64_t start, uint64_t end) const;
  // RLIMIT_AS, and RLIMIT_DATA for mappings that `prot` and `flags` make data.
  bool within_limits(uint64_t more_bytes, int prot = 0, int flags = 0) const;
  bool within_data_limit(uint64_t more_bytes) const;
  // RLIMIT_MEMLOCK for memory that would be locked from the start.
  bool may_lock_more(uint64_t bytes) const;
  // Makes [addr, addr + n) accessible where it is stack that has not grown yet.
  bool grow_for_access(uint64_t addr, size_t n, int prot);
  bool in_current() const;

  Map vmas_;
  mutable const Vma* last_ = nullptr;  // of find(): most accesses hit the same map again
};

}  // namespace starry
