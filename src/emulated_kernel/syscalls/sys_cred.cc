// User and group ids and capabilities: credentials(7), capabilities(7). Credentials belong to the
// thread, as in the kernel; making all threads of a process change together is libc's work.
#include <linux/capability.h>
#include <linux/securebits.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr uint32_t KEEP_ID = NO_ID;  // (uid_t)-1: leave unchanged
constexpr size_t GROUPS_MAX = 65536;

// Capabilities that follow the file-system user id (CAP_FS_MASK).
constexpr uint64_t FS_CAPS = 1ULL << CAP_CHOWN | 1ULL << CAP_MKNOD | 1ULL << CAP_DAC_OVERRIDE |
                             1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_FOWNER | 1ULL << CAP_FSETID |
                             1ULL << CAP_LINUX_IMMUTABLE | 1ULL << CAP_MAC_OVERRIDE;

bool among(uint32_t id, std::initializer_list<uint32_t> ids) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

SysResult commit_uids(Task& t, Ref<Cred> next) {
  fix_caps_after_setuid(*t.cred, *next);
  commit_cred(t, std::move(next));
  return 0;
}

SysResult commit_gids(Task& t, Ref<Cred> next) {
  commit_cred(t, std::move(next));
  return 0;
}

}  // namespace

SysResult sys_getuid(Task& t) { return t.cred->user_ns->uid(t.cred->uid); }
SysResult sys_geteuid(Task& t) { return t.cred->user_ns->uid(t.cred->euid); }
SysResult sys_getgid(Task& t) { return t.cred->user_ns->gid(t.cred->gid); }
SysResult sys_getegid(Task& t) { return t.cred->user_ns->gid(t.cred->egid); }

SysResult sys_setuid(Task& t, uid_t uid) {
  const Cred& old = *t.cred;
  if (uid == KEEP_ID) return Error{EINVAL};
  uid = TRY(old.user_ns->kuid_or_keep(uid));
  Ref<Cred> next = old.copy();
  if (old.capable_here(CAP_SETUID)) {
    next->uid = next->suid = uid;
  } else if (!among(uid, {old.uid, old.suid})) {
    return Error{EPERM};
  }
  next->euid = next->fsuid = uid;
  return commit_uids(t, next);
}

SysResult sys_setgid(Task& t, gid_t gid) {
  const Cred& old = *t.cred;
  if (gid == KEEP_ID) return Error{EINVAL};
  gid = TRY(old.user_ns->kgid_or_keep(gid));
  Ref<Cred> next = old.copy();
  if (old.capable_here(CAP_SETGID)) {
    next->gid = next->sgid = gid;
  } else if (!among(gid, {old.gid, old.sgid})) {
    return Error{EPERM};
  }
  next->egid = next->fsgid = gid;
  return commit_gids(t, next);
}

SysResult sys_setreuid(Task& t, uid_t ruid, uid_t euid) {
  const Cred& old = *t.cred;
  const bool privileged = old.capable_here(CAP_SETUID);
  ruid = TRY(old.user_ns->kuid_or_keep(ruid)), euid = TRY(old.user_ns->kuid_or_keep(euid));
  Ref<Cred> next = old.copy();
  if (ruid != KEEP_ID) {
    if (!privileged && !among(ruid, {old.uid, old.euid})) return Error{EPERM};
    next->uid = ruid;
  }
  if (euid != KEEP_ID) {
    if (!privileged && !among(euid, {old.uid, old.euid, old.suid})) return Error{EPERM};
    next->euid = euid;
  }
  if (ruid != KEEP_ID || (euid != KEEP_ID && euid != old.uid)) next->suid = next->euid;
  next->fsuid = next->euid;
  return commit_uids(t, next);
}

SysResult sys_setregid(Task& t, gid_t rgid, gid_t egid) {
  const Cred& old = *t.cred;
  const bool privileged = old.capable_here(CAP_SETGID);
  rgid = TRY(old.user_ns->kgid_or_keep(rgid)), egid = TRY(old.user_ns->kgid_or_keep(egid));
  Ref<Cred> next = old.copy();
  if (rgid != KEEP_ID) {
    if (!privileged && !among(rgid, {old.gid, old.egid})) return Error{EPERM};
    next->gid = rgid;
  }
  if (egid != KEEP_ID) {
    if (!privileged && !among(egid, {old.gid, old.egid, old.sgid})) return Error{EPERM};
    next->egid = egid;
  }
  if (rgid != KEEP_ID || (egid != KEEP_ID && egid != old.gid)) next->sgid = next->egid;
  next->fsgid = next->egid;
  return commit_gids(t, next);
}

SysResult sys_setresuid(Task& t, uid_t ruid, uid_t euid, uid_t suid) {
  const Cred& old = *t.cred;
  ruid = TRY(old.user_ns->kuid_or_keep(ruid)), euid = TRY(old.user_ns->kuid_or_keep(euid)),
  suid = TRY(old.user_ns->kuid_or_keep(suid));
  if (!old.capable_here(CAP_SETUID)) {
    for (const uid_t id : {ruid, euid, suid}) {
      if (id != KEEP_ID && !among(id, {old.uid, old.euid, old.suid})) return Error{EPERM};
    }
  }
  Ref<Cred> next = old.copy();
  if (ruid != KEEP_ID) next->uid = ruid;
  if (euid != KEEP_ID) next->euid = euid;
  if (suid != KEEP_ID) next->suid = suid;
  next->fsuid = next->euid;
  return commit_uids(t, next);
}

SysResult sys_setresgid(Task& t, gid_t rgid, gid_t egid, gid_t sgid) {
  const Cred& old = *t.cred;
  rgid = TRY(old.user_ns->kgid_or_keep(rgid)), egid = TRY(old.user_ns->kgid_or_keep(egid)),
  sgid = TRY(old.user_ns->kgid_or_keep(sgid));
  if (!old.capable_here(CAP_SETGID)) {
    for (const gid_t id : {rgid, egid, sgid}) {
      if (id != KEEP_ID && !among(id, {old.gid, old.egid, old.sgid})) return Error{EPERM};
    }
  }
  Ref<Cred> next = old.copy();
  if (rgid != KEEP_ID) next->gid = rgid;
  if (egid != KEEP_ID) next->egid = egid;
  if (sgid != KEEP_ID) next->sgid = sgid;
  next->fsgid = next->egid;
  return commit_gids(t, next);
}

SysResult sys_getresuid(Task& t, UserPtr<uid_t> ruid, UserPtr<uid_t> euid, UserPtr<uid_t> suid) {
  TRY(t.mem().put(ruid, t.cred->user_ns->uid(t.cred->uid)));
  TRY(t.mem().put(euid, t.cred->user_ns->uid(t.cred->euid)));
  TRY(t.mem().put(suid, t.cred->user_ns->uid(t.cred->suid)));
  return 0;
}

SysResult sys_getresgid(Task& t, UserPtr<gid_t> rgid, UserPtr<gid_t> egid, UserPtr<gid_t> sgid) {
  TRY(t.mem().put(rgid, t.cred->user_ns->gid(t.cred->gid)));
  TRY(t.mem().put(egid, t.cred->user_ns->gid(t.cred->egid)));
  TRY(t.mem().put(sgid, t.cred->user_ns->gid(t.cred->sgid)));
  return 0;
}

// setfsuid(2): returns the previous id whether it worked or not.
SysResult sys_setfsuid(Task& t, uid_t uid) {
  const Cred& old = *t.cred;
  const uint32_t before = old.user_ns->uid(old.fsuid), root = old.root_uid();
  uid = old.user_ns->kuid(uid);
  const bool allowed = among(uid, {old.uid, old.euid, old.suid, old.fsuid}) || old.capable_here(CAP_SETUID);
  if (uid == NO_ID || uid == old.fsuid || !allowed) return before;
  Ref<Cred> next = old.copy();
  next->fsuid = uid;
  if ((old.securebits & SECBIT_NO_SETUID_FIXUP) == 0) {
    if (old.fsuid == root) next->cap_effective &= ~FS_CAPS;
    if (uid == root) next->cap_effective |= next->cap_permitted & FS_CAPS;
  }
  commit_cred(t, next);
  return before;
}

SysResult sys_setfsgid(Task& t, gid_t gid) {
  const Cred& old = *t.cred;
  const uint32_t before = old.user_ns->gid(old.fsgid);
  gid = old.user_ns->kgid(gid);
  const bool allowed = among(gid, {old.gid, old.egid, old.sgid, old.fsgid}) || old.capable_here(CAP_SETGID);
  if (gid == NO_ID || gid == old.fsgid || !allowed) return before;
  Ref<Cred> next = old.copy();
  next->fsgid = gid;
  commit_cred(t, next);
  return before;
}

SysResult sys_getgroups(Task& t, int size, UserPtr<gid_t> list) {
  std::vector<uint32_t> groups = t.cred->groups;
  if (size < 0) return Error{EINVAL};
  if (size != 0) {
    if (groups.size() > static_cast<size_t>(size)) return Error{EINVAL};
    for (uint32_t& g : groups) g = t.cred->user_ns->gid(g);
    if (!groups.empty()) TRY(t.mem().write(list.addr, groups.data(), groups.size() * sizeof(gid_t)));
  }
  return static_cast<int64_t>(groups.size());
}

SysResult sys_setgroups(Task& t, int size, UserPtr<const uint32_t> list) {
  if (!t.cred->capable_here(CAP_SETGID) || !t.cred->user_ns->may_setgroups()) return Error{EPERM};
  if (static_cast<unsigned>(size) > GROUPS_MAX) return Error{EINVAL};
  std::vector<gid_t> groups = TRY(t.mem().get_array(list.cast<gid_t>(), static_cast<size_t>(size)));
  for (gid_t& g : groups) g = t.cred->user_ns->kgid(g);
  if (std::find(groups.begin(), groups.end(), NO_ID) != groups.end()) return Error{EINVAL};
  std::sort(groups.begin(), groups.end());
  Ref<Cred> next = t.cred->copy();
  next->groups = std::move(groups);
  return commit_gids(t, next);
}

namespace {

// Number of __user_cap_data_struct that a header version brings. An unknown one is replaced in the
// guest's header by the version that this kernel prefers.
Result<size_t> cap_data_count(Task& t, UserPtr<__user_cap_header_struct> hdr) {
  const uint32_t version = TRY(t.mem().get(hdr.cast<uint32_t>()));
  switch (version) {
    case _LINUX_CAPABILITY_VERSION_1:
      return _LINUX_CAPABILITY_U32S_1;
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3:
      return _LINUX_CAPABILITY_U32S_3;
    default:
      TRY(t.mem().put(hdr.cast<uint32_t>(), uint32_t{_LINUX_CAPABILITY_VERSION_3}));
      return Error{EINVAL};
  }
}

}  // namespace

SysResult sys_capget(Task& t, UserPtr<GuestCapHeader> hdrp, UserPtr<GuestCapData> datap) {
  const auto hdr = hdrp.cast<__user_cap_header_struct>();
  const Result<size_t> count = cap_data_count(t, hdr);
  // Asking for the preferred version: a wrong one and no data pointer.
  if (!count.ok()) return count.code() == EINVAL && !datap ? SysResult(0) : SysResult(count.error());
  if (!datap) return 0;
  const int pid = TRY(t.mem().get(hdr)).pid;
  if (pid < 0) return Error{EINVAL};
  const Task* target = pid == 0 ? &t : find_task(t, pid);
  if (target == nullptr) return Error{ESRCH};
  const Cred& c = *target->cred;
  __user_cap_data_struct data[2];
  for (int i = 0; i < 2; i++) {
    data[i].effective = static_cast<uint32_t>(c.cap_effective >> (32 * i));
    data[i].permitted = static_cast<uint32_t>(c.cap_permitted >> (32 * i));
    data[i].inheritable = static_cast<uint32_t>(c.cap_inheritable >> (32 * i));
  }
  TRY(t.mem().write(datap.addr, data, count.value() * sizeof data[0]));
  return 0;
}

SysResult sys_capset(Task& t, UserPtr<GuestCapHeader> hdrp, UserPtr<const GuestCapData> datap) {
  const auto hdr = hdrp.cast<__user_cap_header_struct>();
  const size_t count = TRY(cap_data_count(t, hdr));
  const int pid = TRY(t.mem().get(hdr)).pid;
  if (pid != 0 && pid != t.own_tid) return Error{EPERM};
  __user_cap_data_struct data[2] = {};
  TRY(t.mem().read(datap.addr, data, count * sizeof data[0]));

  const auto join = [](uint32_t low, uint32_t high) {
    return (static_cast<uint64_t>(high) << 32 | low) & CAP_FULL;
  };
  const uint64_t effective = join(data[0].effective, data[1].effective);
  const uint64_t permitted = join(data[0].permitted, data[1].permitted);
  const uint64_t inheritable = join(data[0].inheritable, data[1].inheritable);

  const Cred& old = *t.cred;
  const auto exceeds = [](uint64_t set, uint64_t limit) { return (set & ~limit) != 0; };
  if (!old.capable_here(CAP_SETPCAP) && exceeds(inheritable, old.cap_inheritable | old.cap_permitted))
    return Error{EPERM};
  if (exceeds(inheritable, old.cap_inheritable | old.cap_bounding)) return Error{EPERM};
  if (exceeds(permitted, old.cap_permitted)) return Error{EPERM};
  if (exceeds(effective, permitted)) return Error{EPERM};

  Ref<Cred> next = old.copy();
  next->cap_effective = effective;
  next->cap_permitted = permitted;
  next->cap_inheritable = inheritable;
  next->cap_ambient &= permitted & inheritable;
  commit_cred(t, next);
  return 0;
}

}  // namespace starry
