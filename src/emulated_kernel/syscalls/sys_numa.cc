// Memory policies on a machine with one node, 0: what can be asked for is what happens anyway, so they are
// only kept.
#include <linux/capability.h>
#include <linux/mempolicy.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

// get_nodes(): the set of nodes; only node 0 exists. EINVAL, EFAULT.
Result<uint64_t> read_nodes(Task& t, UserPtr<const uint64_t> mask, unsigned long maxnode) {
  constexpr unsigned long MOST = PAGE * 8;
  if (!mask || maxnode <= 1) return uint64_t{0};
  const unsigned long bits = maxnode - 1;
  if (bits > MOST) return Error{EINVAL};
  auto words = TRY(t.mem().get_array(UserPtr<uint64_t>{mask.addr}, (bits + 63) / 64));
  if (bits % 64 != 0) words.back() &= (1ULL << (bits % 64)) - 1;
  if (std::any_of(words.begin() + 1, words.end(), [](uint64_t w) { return w != 0; })) return Error{EINVAL};
  return words[0];
}

// A mode without its flags. EINVAL.
Result<int> checked_policy(int mode) {
  constexpr int MODE_FLAGS = 0xe000;
  const int policy = mode & ~MODE_FLAGS;
  if (policy < 0 || policy >= MPOL_MAX) return Error{EINVAL};
  return policy;
}

Result<void> check_nodes(int policy, uint64_t nodes) {
  const bool wants_nodes = policy == MPOL_BIND || policy == MPOL_INTERLEAVE;
  const bool wants_none = policy == MPOL_DEFAULT || policy == MPOL_LOCAL;
  if ((wants_nodes && nodes == 0) || (wants_none && nodes != 0) || (nodes & ~1ULL) != 0) return Error{EINVAL};
  return {};
}

// The task whose memory is meant. ESRCH, EPERM.
Result<Ref<Mm>> mm_of(Task& t, int pid) {
  Task* target = pid == 0 ? &t : find_task(t, pid);
  if (target == nullptr || !target->mm) return Error{ESRCH};
  if (!may_inspect(t, *target)) return Error{EPERM};
  return target->mm;
}

}  // namespace

SysResult sys_set_mempolicy(Task& t, int mode, UserPtr<const uint64_t> nodemask, unsigned long maxnode) {
  const int policy = TRY(checked_policy(mode));
  const uint64_t nodes = TRY(read_nodes(t, nodemask, maxnode));
  TRY(check_nodes(policy, nodes));
  t.mempolicy = policy;
  t.mempolicy_nodes = nodes;
  return 0;
}

SysResult sys_get_mempolicy(Task& t, UserPtr<int> mode, UserPtr<uint64_t> nodemask, unsigned long maxnode,
                            uint64_t addr, unsigned long flags) {
  constexpr unsigned long F_NODE = 1, F_ADDR = 2, F_MEMS_ALLOWED = 4;
  if ((flags & ~(F_NODE | F_ADDR | F_MEMS_ALLOWED)) != 0) return Error{EINVAL};
  if (nodemask && maxnode < 1) return Error{EINVAL};
  uint64_t nodes = t.mempolicy_nodes;
  int value = t.mempolicy;
  if ((flags & F_MEMS_ALLOWED) != 0) {
    if ((flags & (F_NODE | F_ADDR)) != 0) return Error{EINVAL};
    nodes = 1, value = 0;
  } else if ((flags & F_ADDR) != 0) {
    const Vma* v = t.mm->find(addr);
    if (v == nullptr) return Error{EFAULT};
    value = (flags & F_NODE) != 0 ? 0 : v->mempolicy;
    nodes = v->on_node0 ? 1 : 0;
  } else if (addr != 0) {
    return Error{EINVAL};
  } else if ((flags & F_NODE) != 0) {
    if (t.mempolicy != 3) return Error{EINVAL};
    value = 0;
  }
  if (mode) TRY(t.mem().put(mode, value));
  if (nodemask) {
    std::vector<uint64_t> out((maxnode - 1) / 64 + 1);
    if (out.size() > PAGE / 8) return Error{EINVAL};
    out[0] = nodes;
    TRY(t.mem().write(nodemask.addr, out.data(), out.size() * 8));
  }
  return 0;
}

SysResult sys_mbind(Task& t, uint64_t addr, unsigned long len, int mode, UserPtr<const uint64_t> nodemask,
                    unsigned long maxnode, unsigned flags) {
  constexpr unsigned KNOWN = MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL;
  const int policy = TRY(checked_policy(mode));
  const uint64_t nodes = TRY(read_nodes(t, nodemask, maxnode));
  if ((flags & ~KNOWN) != 0) return Error{EINVAL};
  if ((flags & MPOL_MF_MOVE_ALL) != 0 && !t.cred->capable(CAP_SYS_NICE)) return Error{EPERM};
  if (addr % PAGE != 0) return Error{EINVAL};
  TRY(check_nodes(policy, nodes));
  const uint64_t end = addr + ((len + PAGE - 1) & ~(PAGE - 1));
  if (end < addr) return Error{EINVAL};
  for (uint64_t at = addr; at < end;) {
    const Vma* v = t.mm->find(at);
    if (v == nullptr) return Error{EFAULT};
    at = v->end;
  }
  if (end != addr) t.mm->set_mempolicy(addr, end, mode, nodes != 0);
  return 0;
}

SysResult sys_set_mempolicy_home_node(Task& t, uint64_t start, unsigned long len, unsigned long home_node,
                                      unsigned long flags) {
  if (start % PAGE != 0 || flags != 0 || home_node != 0) return Error{EINVAL};
  const uint64_t end = start + ((len + PAGE - 1) & ~(PAGE - 1));
  if (end < start) return Error{EINVAL};
  if (end == start) return 0;
  return t.mm->find(start) == nullptr ? SysResult(Error{ENOENT}) : SysResult(0);
}

// Nothing is anywhere else: no page stays behind.
SysResult sys_migrate_pages(Task& t, int pid, unsigned long maxnode, UserPtr<const uint64_t> old_nodes,
                            UserPtr<const uint64_t> new_nodes) {
  (void)TRY(read_nodes(t, old_nodes, maxnode));
  const uint64_t to = TRY(read_nodes(t, new_nodes, maxnode));
  (void)TRY(mm_of(t, pid));
  if ((to & 1) == 0) return Error{EINVAL};
  return 0;
}

SysResult sys_move_pages(Task& t, int pid, unsigned long count, UserPtr<const UserAddr> pages,
                         UserPtr<const int> nodes, UserPtr<int> status, int flags) {
  if ((flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) != 0) return Error{EINVAL};
  if ((flags & MPOL_MF_MOVE_ALL) != 0 && !t.cred->capable(CAP_SYS_NICE)) return Error{EPERM};
  const Ref<Mm> mm = TRY(mm_of(t, pid));
  for (unsigned long i = 0; i < count; ++i) {
    const uint64_t addr = TRY(t.mem().get(UserPtr<uint64_t>{pages.addr + i * sizeof(uint64_t)}));
    if (nodes && TRY(t.mem().get(UserPtr<int>{nodes.addr + i * sizeof(int)})) != 0) return Error{ENODEV};
    uint8_t byte = 0;
    const bool there = mm->find(addr) != nullptr && mm->space->peek(addr, &byte, 1).ok();
    TRY(t.mem().put(UserPtr<int>{status.addr + i * sizeof(int)}, there ? 0 : -EFAULT));
  }
  return 0;
}

}  // namespace starry
