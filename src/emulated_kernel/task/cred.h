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
};

}  // namespace starry
