#include "emulated_kernel/task/cred.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/stat.h>

#include <algorithm>
#include <tuple>

#include "emulated_kernel/task/task.h"

namespace starry {

bool Cred::in_group(uint32_t gid_) const {
  return gid_ == fsgid || std::find(groups.begin(), groups.end(), gid_) != groups.end();
}

Ref<Cred> Cred::copy() const {
  Ref<Cred> c = make_ref<Cred>();
  c->uid = uid, c->euid = euid, c->suid = suid, c->fsuid = fsuid;
  c->gid = gid, c->egid = egid, c->sgid = sgid, c->fsgid = fsgid;
  c->groups = groups;
  c->cap_inheritable = cap_inheritable;
  c->cap_permitted = cap_permitted;
  c->cap_effective = cap_effective;
  c->cap_bounding = cap_bounding;
  c->cap_ambient = cap_ambient;
  c->securebits = securebits;
  return c;
}

bool Cred::same_as(const Cred& o) const {
  const auto all = [](const Cred& c) {
    return std::tie(c.uid, c.euid, c.suid, c.fsuid, c.gid, c.egid, c.sgid, c.fsgid, c.groups,
                    c.cap_inheritable, c.cap_permitted, c.cap_effective, c.cap_bounding, c.cap_ambient,
                    c.securebits);
  };
  return all(*this) == all(o);
}

void commit_cred(Task& t, Ref<Cred> next) {
  const Cred& old = *t.cred;
  const bool gains_caps = (next->cap_permitted & ~old.cap_permitted) != 0;
  if (old.euid != next->euid || old.egid != next->egid || old.fsuid != next->fsuid ||
      old.fsgid != next->fsgid || gains_caps) {
    t.group->dumpable = false;
    t.group->pdeath_signal = 0;
  }
  t.cred = std::move(next);
}

void fix_caps_after_setuid(const Cred& old, Cred& next) {
  if ((next.securebits & SECBIT_NO_SETUID_FIXUP) != 0) return;
  const bool was_root = old.uid == 0 || old.euid == 0 || old.suid == 0;
  const bool is_root = next.uid == 0 || next.euid == 0 || next.suid == 0;
  if (was_root && !is_root) {
    if ((next.securebits & SECBIT_KEEP_CAPS) == 0) next.cap_permitted = next.cap_effective = 0;
    next.cap_ambient = 0;
  }
  if (old.euid == 0 && next.euid != 0) next.cap_effective = 0;
  if (old.euid != 0 && next.euid == 0) next.cap_effective = next.cap_permitted;
}

Ref<Cred> cred_for_exec(const Cred& old, uint32_t mode, uint32_t uid, uint32_t gid, bool privileged,
                        bool* secure) {
  Ref<Cred> next = old.copy();
  if (privileged && (mode & S_ISUID) != 0) next->euid = uid;
  // Without group execute the bit means mandatory locking, not set-group-ID (inode(7)).
  if (privileged && (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) next->egid = gid;
  const bool id_changed = next->euid != old.uid || next->egid != old.gid;

  uint64_t permitted = 0;
  bool file_effective = false;
  const bool root_is_special = (old.securebits & SECBIT_NOROOT) == 0;
  if (root_is_special && (next->euid == 0 || next->uid == 0)) {
    permitted = old.cap_bounding | old.cap_inheritable;
    file_effective = next->euid == 0;
  }
  if (id_changed) next->cap_ambient = 0;
  next->cap_permitted = permitted | next->cap_ambient;
  next->cap_effective = file_effective ? next->cap_permitted : next->cap_ambient;
  next->suid = next->fsuid = next->euid;
  next->sgid = next->fsgid = next->egid;
  next->securebits &= ~static_cast<uint32_t>(SECBIT_KEEP_CAPS);
  *secure = id_changed || (next->uid != 0 && (next->cap_permitted & ~next->cap_ambient) != 0);
  return next;
}

bool may_inspect(const Task& by, const Task& target) {
  if (by.group == target.group) return true;
  const Cred& a = *by.cred;
  const Cred& b = *target.cred;
  if (a.capable(CAP_SYS_PTRACE)) return true;
  const bool same_user = a.fsuid == b.euid && a.fsuid == b.suid && a.fsuid == b.uid && a.fsgid == b.egid &&
                         a.fsgid == b.sgid && a.fsgid == b.gid;
  return same_user && target.group->dumpable && (b.cap_permitted & ~a.cap_permitted) == 0;
}

}  // namespace starry
