// Names of anonymous memory: prctl(2), PR_SET_VMA_ANON_NAME.
#include <algorithm>

#include "emulated_kernel/mm/mm.h"

namespace starry {

namespace {

constexpr uint64_t PAGE = 4096;

// "[heap]", "[stack]" and the like win over a given name.
bool renameable(const Vma& v) { return v.name.empty() || v.name.starts_with("[anon:"); }

// Makes `at` (inside the range that starts at `it`) the start of a range of its own.
void split_at(std::map<uint64_t, Vma>& vmas, std::map<uint64_t, Vma>::iterator it, uint64_t at) {
  Vma upper = it->second;
  upper.offset += at - upper.start;
  upper.start = at;
  it->second.end = at;
  vmas.emplace(at, std::move(upper));
}

}  // namespace

Result<void> Mm::set_anon_name(uint64_t addr, uint64_t len, const std::string& name) {
  if (addr % PAGE != 0) return Error{EINVAL};
  const uint64_t size = (len + PAGE - 1) & ~(PAGE - 1);
  const uint64_t end = addr + size;
  if ((len != 0 && size == 0) || end < addr) return Error{EINVAL};

  const MutexGuard guard(lock);
  bool hole = false;
  uint64_t at = addr;
  while (at < end) {
    auto it = vmas_.upper_bound(at);
    if (it != vmas_.begin() && std::prev(it)->second.end > at) --it;
    if (it == vmas_.end() || it->second.start >= end) break;
    if (it->second.start > at) {
      hole = true;
      at = it->second.start;
    }
    if (it->second.file) return Error{EBADF};
    if (it->second.start < at) {
      split_at(vmas_, it, at);
      ++it;
    }
    if (it->second.end > end) split_at(vmas_, it, end);
    if (renameable(it->second)) it->second.name = name.empty() ? name : "[anon:" + name + "]";
    at = it->second.end;
  }
  if (hole || at < end) return Error{ENOMEM};
  return {};
}

}  // namespace starry
