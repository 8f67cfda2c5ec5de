// The iovec array of readv(2), writev(2), sendmsg(2), ... taken over from the guest and checked.
#pragma once

#include <cstddef>
#include <vector>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/fd/file.h"

namespace starry {

// The most segments: UIO_MAXIOV of <linux/uio.h>.
inline constexpr size_t UIO_MAXIOV_NR = 1024;

// The most bytes that one read or write moves, as in Linux: INT_MAX rounded down to a page.
inline constexpr size_t MAX_RW_COUNT = 0x7ffff000;

// The segments of `iov[0..count)`, their total cut down to MAX_RW_COUNT. EINVAL if count exceeds
// UIO_MAXIOV or a length is negative as ssize_t; EFAULT if the array is not readable or a segment lies
// outside of user space.
Result<std::vector<IoVec::Segment>> import_iovec(UserMemory& mem, UserPtr<const GuestIovec> iov,
                                                 size_t count);

}  // namespace starry
