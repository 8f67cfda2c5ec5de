// Ancillary data of sendmsg(2) and recvmsg(2) (cmsg(3), unix(7)).
#pragma once

#include <cstdint>

#include "emulated_kernel/task/task.h"
#include "netstack/socket.h"

namespace starry {

// Takes the control messages at `addr` apart: descriptors become files, credentials are checked.
Result<void> read_control(Task& t, const Socket& s, UserAddr addr, uint64_t len, SendMsg* out);
// Writes what was received, installing descriptors; returns the bytes used. Sets MSG_CTRUNC when
// something did not fit.
Result<uint64_t> write_control(Task& t, UserAddr addr, uint64_t len, unsigned recv_flags, RecvMsg* m);

}  // namespace starry
