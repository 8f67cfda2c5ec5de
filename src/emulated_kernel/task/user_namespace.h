// User namespaces (struct user_namespace, user_namespaces(7)). Ids inside the kernel (kuid_t, kgid_t) are
// those of the initial one; they are translated where system calls and files of /proc take or show them.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "emulated_kernel/task/namespace.h"

namespace starry {

class Cred;
class Task;

inline constexpr uint32_t NO_ID = ~0U;
inline constexpr uint32_t OVERFLOW_ID = 65534;  // what is shown for ids without a mapping

// /proc/PID/uid_map or gid_map.
struct IdMap {
  struct Extent {
    uint32_t first, kernel_first, count;
  };
  std::vector<Extent> extents;

  uint32_t to_kernel(uint32_t id) const;                        // NO_ID: not mapped
  uint32_t from_kernel(uint32_t kid) const;                     // the same
  uint32_t range_to_kernel(uint32_t id, uint32_t count) const;  // of the first, if all lie in one extent
};

class UserNamespace final : public Namespace {
 public:
  UserNamespace();  // the initial one
  UserNamespace(Ref<const UserNamespace> above, const Cred& creator);

  const Ref<const UserNamespace> parent;  // null for the initial one
  const int level = 0;
  const uint32_t owner = 0, group = 0;  // effective ids of the creator
  const bool parent_could_setfcap = true;
  bool setgroups_allowed = true;
  IdMap uids, gids, projids;

  bool initial() const { return level == 0; }
  // Into the kernel; NO_ID: not mapped.
  uint32_t kuid(uint32_t uid) const { return initial() ? uid : uids.to_kernel(uid); }
  uint32_t kgid(uint32_t gid) const { return initial() ? gid : gids.to_kernel(gid); }
  // The same where NO_ID is asked for, "leave it". EINVAL: not mapped.
  Result<uint32_t> kuid_or_keep(uint32_t uid) const { return found(uid, kuid(uid)); }
  Result<uint32_t> kgid_or_keep(uint32_t gid) const { return found(gid, kgid(gid)); }
  // As they are shown in it.
  uint32_t uid(uint32_t kuid) const { return initial() ? kuid : munged(uids.from_kernel(kuid)); }
  uint32_t gid(uint32_t kgid) const { return initial() ? kgid : munged(gids.from_kernel(kgid)); }
  bool maps_uid(uint32_t kuid) const { return initial() || uids.from_kernel(kuid) != NO_ID; }
  bool maps_gid(uint32_t kgid) const { return initial() || gids.from_kernel(kgid) != NO_ID; }
  // The rules of setgroups(2): not before gid_map is written, and not after "deny".
  bool may_setgroups() const { return setgroups_allowed && !gids.extents.empty(); }
  // Is it this one, or below it?
  bool is_below(const UserNamespace& above) const;

 private:
  static Result<uint32_t> found(uint32_t id, uint32_t kid) {
    if (kid == NO_ID && id != NO_ID) return Error{EINVAL};
    return kid;
  }
  static uint32_t munged(uint32_t id) { return id == NO_ID ? OVERFLOW_ID : id; }
};

const Ref<UserNamespace>& initial_user_ns();

// CLONE_NEWUSER: the credentials `next` get a new namespace in which they can do everything. ENOSPC, EPERM.
// `chrooted`: the caller's root directory is not that of its mount namespace.
Result<void> create_user_ns(Cred& next, bool chrooted);
// Credentials that have entered `ns` (set_cred_user_ns): all capabilities in it, none elsewhere.
void enter_user_ns(Cred& next, Ref<const UserNamespace> ns);

// Files of /proc/PID as `reader` sees and writes them.
enum class IdKind { uid, gid, projid };
std::string show_id_map(const UserNamespace& ns, IdKind kind, const Cred& reader);
// EPERM, EINVAL, EACCES.
Result<void> write_id_map(UserNamespace& ns, IdKind kind, const Cred& opener, const Cred& writer,
                          std::string_view text);
Result<void> write_setgroups(UserNamespace& ns, const Cred& opener, std::string_view text);

}  // namespace starry
