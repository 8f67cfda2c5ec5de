#include "emulated_kernel/ipc/ipc_perm.h"

#include <linux/capability.h>

#include <algorithm>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/ipc/ipc_namespace.h"
#include "emulated_kernel/task/task.h"

namespace starry {

Result<void> ipc_permission(const Task& t, const IpcObject& o, uint32_t want) {
  const Cred& c = *t.cred;
  want = ((want >> 6) | (want >> 3) | want) & 7;
  uint32_t granted = o.mode;
  if (c.euid == o.cuid || c.euid == o.uid)
    granted >>= 6;
  else if (c.in_group(o.cgid) || c.in_group(o.gid))
    granted >>= 3;
  if ((want & ~granted) != 0 && !c.capable_in(current_ipc_ns()->user_ns(), CAP_IPC_OWNER))
    return Error{EACCES};
  return {};
}

Result<void> ipc_may_control(const Task& t, const IpcObject& o) {
  const Cred& c = *t.cred;
  if (c.euid == o.cuid || c.euid == o.uid || c.capable_in(current_ipc_ns()->user_ns(), CAP_SYS_ADMIN))
    return {};
  return Error{EPERM};
}

void ipc_set_creator(const Task& t, IpcObject& o, int key, int flags) {
  o.key = key;
  o.mode = static_cast<uint32_t>(flags) & 0777;
  o.uid = o.cuid = t.cred->euid;
  o.gid = o.cgid = t.cred->egid;
}

ipc_perm ipc_show_perm(const IpcObject& o) {
  ipc_perm p{};
  p.__key = o.key;
  const UserNamespace& ids = *current().cred->user_ns;
  p.uid = ids.uid(o.uid), p.gid = ids.gid(o.gid), p.cuid = ids.uid(o.cuid), p.cgid = ids.gid(o.cgid);
  p.mode = static_cast<decltype(p.mode)>(o.mode);
  p.__seq = o.seq;
  return p;
}

Result<void> ipc_apply_perm(IpcObject& o, const ipc_perm& p) {
  const UserNamespace& ids = *current().cred->user_ns;
  const uint32_t uid = ids.kuid(p.uid), gid = ids.kgid(p.gid);
  if (uid == NO_ID || gid == NO_ID) return Error{EINVAL};
  o.uid = uid, o.gid = gid;
  o.mode = (o.mode & ~0777U) | (p.mode & 0777U);
  return {};
}

// ipc_idr_alloc(): indexes go round in a window somewhat larger than what is in use; each round has a
// new sequence number.
int64_t ipc_time() { return realtime_timespec().tv_sec; }

int IpcIdAllocator::next_index(int in_use, int limit, bool (*used)(const void*, int), const void* map) {
  constexpr int MIN_CYCLE = 64;
  if (in_use >= limit) return -1;
  const int window = std::min(std::max(in_use * 3 / 2, MIN_CYCLE), limit);
  for (int n = 0; n < window; ++n) {
    const int index = (last_index_ + 1 + n) % window;
    if (used(map, index)) continue;
    if (index <= last_index_) ++seq_;
    last_index_ = index;
    return index;
  }
  return -1;
}

}  // namespace starry
