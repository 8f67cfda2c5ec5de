// Credentials (struct cred, credentials(7), capabilities(7)).
#pragma once

#include <cstdint>
#include <vector>

#include "emulated_kernel/base/ref.h"

namespace starry {

inline constexpr int CAP_LAST_CAP_NR = 40;  // CAP_CHECKPOINT_RESTORE, Linux 5.9 and later
inline constexpr uint64_t CAP_FULL = (1ULL << (CAP_LAST_CAP_NR + 1)) - 1;

class Cred : public RefCounted {
 public:
  uint32_t uid = 1000, euid = 1000, suid = 1000, fsuid = 1000;
  uint32_t gid = 1000, egid = 1000, sgid = 1000, fsgid = 1000;
  std::vector<uint32_t> groups;
  uint64_t cap_inheritable = 0, cap_permitted = 0, cap_effective = 0, cap_bounding = CAP_FULL,
           cap_ambient = 0;
  uint32_t securebits = 0;

  bool capable(int cap) const { return (cap_effective >> cap) & 1; }
  bool in_group(uint32_t gid_) const;
  Ref<Cred> copy() const;
  bool same_as(const Cred& other) const;
};

class Task;

// Makes `next` the credentials of `t` (commit_creds): a change of identity or a gain of capabilities
// clears the dumpable flag and the parent-death signal.
void commit_cred(Task& t, Ref<Cred> next);

// The effect on capabilities of a change of user ids from `old` to `next` (capabilities(7), "Effect of
// user ID changes on capabilities").
void fix_caps_after_setuid(const Cred& old, Cred& next);

// Credentials after execve(2) of a file with this owner and mode: set-user-ID, set-group-ID and the
// capability rules of capabilities(7). `privileged` false (no_new_privs, nosuid mount) ignores the
// mode bits. `secure` receives AT_SECURE.
Ref<Cred> cred_for_exec(const Cred& old, uint32_t mode, uint32_t uid, uint32_t gid, bool privileged,
                        bool* secure);

// ptrace(2)'s access check PTRACE_MODE_READ_FSCREDS, which also guards files of /proc/PID.
bool may_inspect(const Task& by, const Task& target);

}  // namespace starry
