#include "emulated_kernel/futex/key.h"

#include <sys/mman.h>

#include "emulated_kernel/mm/mm.h"

namespace starry {

Result<FutexKey> futex_key(const Mm& mm, UserAddr addr, bool shared) {
  if (addr % sizeof(uint32_t) != 0) return Error{EINVAL};
  if (addr >= GUEST_TASK_SIZE) return Error{EFAULT};
  const auto space = reinterpret_cast<uint64_t>(&mm);
  if (!shared) return FutexKey{FutexKey::Kind::private_op, space, 0, addr};
  const Vma* v = mm.find(addr);
  if (v == nullptr || (v->prot & (PROT_READ | PROT_WRITE)) == 0) return Error{EFAULT};
  if (!v->shared()) return FutexKey{FutexKey::Kind::private_memory, space, 0, addr};
  const uint64_t offset = v->offset + (addr - v->start);
  if (!v->file) return FutexKey{FutexKey::Kind::anonymous, v->dev, v->ino, offset};
  // The page must be there: not so behind the end of a truncated file.
  uint32_t word;
  auto got = mm.space->peek(addr, &word, sizeof word);
  if (!got || *got != sizeof word) return Error{EFAULT};
  return FutexKey{FutexKey::Kind::file, v->dev, v->ino, offset};
}

}  // namespace starry
