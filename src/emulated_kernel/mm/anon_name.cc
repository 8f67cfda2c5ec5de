// Names of anonymous memory: prctl(2), PR_SET_VMA_ANON_NAME.
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/page.h"

namespace starry {

namespace {

// "[heap]", "[stack]" and the like win over a given name.
bool renameable(const Vma& v) { return v.name.empty() || v.name.starts_with("[anon:"); }

}  // namespace

Result<void> Mm::set_anon_name(uint64_t addr, uint64_t len, const std::string& name) {
  if (addr % PAGE != 0) return Error{EINVAL};
  const uint64_t size = (len + PAGE - 1) & ~(PAGE - 1);
  const uint64_t end = addr + size;
  if ((len != 0 && size == 0) || end < addr) return Error{EINVAL};

  const MutexGuard guard(lock);
  split(addr);
  split(end);
  bool hole = false;
  uint64_t at = addr;
  for (auto it = vmas_.lower_bound(addr); it != vmas_.end() && it->first < end; ++it) {
    Vma& v = it->second;
    hole |= v.start > at;
    if (v.file) return Error{EBADF};
    if (renameable(v)) v.name = name.empty() ? name : "[anon:" + name + "]";
    at = v.end;
  }
  merge_around(addr, end);
  if (hole || at < end) return Error{ENOMEM};
  return {};
}

}  // namespace starry
