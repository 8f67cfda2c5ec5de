#include "emulated_kernel/task/cred.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/stat.h>

#include <algorithm>

#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/task/task.h"

namespace starry {

bool Cred::in_group(uint32_t gid_) const {
  return gid_ == fsgid || std::find(groups.begin(), groups.end(), gid_) != groups.end();
}

bool Cred::capable_in(const UserNamespace& target, int cap) const {
  for (const UserNamespace* ns = &target;; ns = ns->parent.get()) {
    if (ns == user_ns.get()) return capable_here(cap);
    if (ns->level <= user_ns->level) return false;
    if (ns->parent == user_ns && ns->owner == euid) return true;
  }
}

bool Cred::capable_over(const Kstat& file, int cap) const {
  return capable_here(cap) && user_ns->maps_uid(file.uid) && user_ns->maps_gid(file.gid);
}

bool caps_within(const Cred& a, const Cred& b) {
  if (a.user_ns == b.user_ns) return (b.cap_permitted & ~a.cap_permitted) == 0;
  // Who makes a user namespace had all capabilities in it already.
  for (const UserNamespace* ns = b.user_ns.get(); !ns->initial(); ns = ns->parent.get())
    if (ns->parent == a.user_ns && ns->owner == a.euid) return true;
  return false;
}

void commit_cred(Task& t, Ref<Cred> next) {
  const Cred& old = *t.cred;
  if (old.euid != next->euid || old.egid != next->egid || old.fsuid != next->fsuid ||
      old.fsgid != next->fsgid || !caps_within(old, *next)) {
    t.group->dumpable = false;
    t.group->pdeath_signal = 0;
  }
  t.cred = std::move(next);
}

void fix_caps_after_setuid(const Cred& old, Cred& next) {
  if ((next.securebits & SECBIT_NO_SETUID_FIXUP) != 0) return;
  const uint32_t root = old.root_uid();
  const bool was_root = old.uid == root || old.euid == root || old.suid == root;
  const bool is_root = next.uid == root || next.euid == root || next.suid == root;
  if (was_root && !is_root) {
    if ((next.securebits & SECBIT_KEEP_CAPS) == 0) next.cap_permitted = next.cap_effective = 0;
    next.cap_ambient = 0;
  }
  if (old.euid == root && next.euid != root) next.cap_effective = 0;
  if (old.euid != root && next.euid == root) next.cap_effective = next.cap_permitted;
}

Ref<Cred> cred_for_exec(const Cred& old, uint32_t mode, uint32_t uid, uint32_t gid, bool privileged,
                        bool* secure) {
  Ref<Cred> next = old.copy();
  // A file of somebody who has no id in the user namespace is as if it had no such bits.
  privileged = privileged && old.user_ns->maps_uid(uid) && old.user_ns->maps_gid(gid);
  if (privileged && (mode & S_ISUID) != 0) next->euid = uid;
  // Without group execute the bit means mandatory locking, not set-group-ID (inode(7)).
  if (privileged && (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) next->egid = gid;
  const bool id_changed = next->euid != old.uid || next->egid != old.gid;

  uint64_t permitted = 0;
  bool file_effective = false;
  const bool root_is_special = (old.securebits & SECBIT_NOROOT) == 0;
  const uint32_t root = old.root_uid();
  if (root_is_special && (next->euid == root || next->uid == root)) {
    permitted = old.cap_bounding | old.cap_inheritable;
    file_effective = next->euid == root;
  }
  if (id_changed) next->cap_ambient = 0;
  next->cap_permitted = permitted | next->cap_ambient;
  next->cap_effective = file_effective ? next->cap_permitted : next->cap_ambient;
  next->suid = next->fsuid = next->euid;
  next->sgid = next->fsgid = next->egid;
  next->securebits &= ~static_cast<uint32_t>(SECBIT_KEEP_CAPS);
  *secure = id_changed || (next->uid != root && (next->cap_permitted & ~next->cap_ambient) != 0);
  return next;
}

bool may_inspect(const Task& by, const Task& target) {
  const Cred& a = *by.cred;
  return may_access_task(by, target, a.fsuid, a.fsgid);
}

bool may_access_task(const Task& by, const Task& target, uint32_t uid, uint32_t gid) {
  if (by.group == target.group) return true;
  const Cred& a = *by.cred;
  const Cred& b = *target.cred;
  if (a.capable_in(*b.user_ns, CAP_SYS_PTRACE)) return true;
  const bool same_user =
      uid == b.euid && uid == b.suid && uid == b.uid && gid == b.egid && gid == b.sgid && gid == b.gid;
  return same_user && target.group->dumpable && a.user_ns == b.user_ns && caps_within(a, b);
}

}  // namespace starry
