// Credentials (struct cred, credentials(7), capabilities(7)).
#pragma once

#include <cstdint>
#include <vector>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/task/user_namespace.h"

namespace starry {

struct Kstat;

inline constexpr int CAP_LAST_CAP_NR = 40;  // CAP_CHECKPOINT_RESTORE, Linux 5.9 and later
inline constexpr uint64_t CAP_FULL = (1ULL << (CAP_LAST_CAP_NR + 1)) - 1;

// What a Cred holds: copied and compared as a whole.
struct CredFields {
  uint32_t uid = 1000, euid = 1000, suid = 1000, fsuid = 1000;
  uint32_t gid = 1000, egid = 1000, sgid = 1000, fsgid = 1000;
  std::vector<uint32_t> groups;
  uint64_t cap_inheritable = 0, cap_permitted = 0, cap_effective = 0, cap_bounding = CAP_FULL,
           cap_ambient = 0;
  uint32_t securebits = 0;

  // Where the capabilities are valid; ids are kernel-wide ones.
  Ref<const UserNamespace> user_ns = initial_user_ns();

  bool operator==(const CredFields&) const = default;
};

class Cred : public RefCounted, public CredFields {
 public:
  Cred() = default;
  explicit Cred(const CredFields& f) : CredFields(f) {}
  // Over what belongs to the whole system (capable()).
  bool capable(int cap) const { return user_ns->initial() && capable_here(cap); }
  // In its own user namespace.
  bool capable_here(int cap) const { return (cap_effective >> cap) & 1; }
  // Over what belongs to `ns` (ns_capable()): capabilities hold in namespaces below too, and who made one
  // has all of them in it.
  bool capable_in(const UserNamespace& ns, int cap) const;
  // Over a file, if its owner and group have ids in the own user namespace (capable_wrt_inode_uidgid()).
  bool capable_over(const Kstat& file, int cap) const;
  // Kernel-wide id of uid 0 of the own user namespace, NO_ID if it has none.
  uint32_t root_uid() const { return user_ns->kuid(0); }
  bool in_group(uint32_t gid_) const;
  Ref<Cred> copy() const { return make_ref<Cred>(static_cast<const CredFields&>(*this)); }
  bool same_as(const CredFields& other) const { return other == *this; }
};

class Task;

// Has `b` no capability that `a` does not have as well (cred_cap_issubset())?
bool caps_within(const Cred& a, const Cred& b);

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
// The same check with `by`'s ids given: the file system's, or the real ones (PTRACE_MODE_REALCREDS).
bool may_access_task(const Task& by, const Task& target, uint32_t uid, uint32_t gid);

}  // namespace starry
