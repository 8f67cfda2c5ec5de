#include "emulated_kernel/fd/iovec_import.h"

#include <algorithm>

#include "emulated_kernel/mm/mm.h"

namespace starry {

namespace {}

Result<std::vector<IoVec::Segment>> import_iovec(UserMemory& mem, UserPtr<const GuestIovec> iov,
                                                 size_t count) {
  if (count > UIO_MAXIOV_NR) return Error{EINVAL};
  const auto raw = TRY(mem.get_array(UserPtr<GuestIovec>{iov.addr}, count));
  for (const GuestIovec& v : raw)
    if (static_cast<int64_t>(v.len) < 0) return Error{EINVAL};

  std::vector<IoVec::Segment> segs;
  segs.reserve(count);
  size_t room = MAX_RW_COUNT;
  for (const GuestIovec& v : raw) {
    if (v.len > GUEST_TASK_SIZE || v.base > GUEST_TASK_SIZE - v.len) return Error{EFAULT};
    const size_t len = std::min<size_t>(v.len, room);
    room -= len;
    if (len != 0) segs.push_back({v.base, len});
  }
  return segs;
}

}  // namespace starry
