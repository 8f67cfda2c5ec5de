// Types that rows of abi/syscalls.def name. Guest structures with their kernel ABI layout.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <time.h>

#include <cstdint>

#include "emulated_kernel/base/user_ptr.h"
#include "emulated_kernel/signal/task_signals.h"

namespace starry {

// struct iovec, msghdr and friends as the guest has them: pointers are guest addresses.
struct GuestIovec {
  UserAddr base;
  uint64_t len;
};
struct GuestMsghdr {
  UserAddr name;
  uint32_t namelen;
  uint32_t pad1;
  UserAddr iov;
  uint64_t iovlen;
  UserAddr control;
  uint64_t controllen;
  int32_t flags;
  uint32_t pad2;
};
struct GuestMmsghdr {
  GuestMsghdr hdr;
  uint32_t len;
  uint32_t pad;
};
struct GuestStackT {
  UserAddr sp;
  int32_t flags;
  uint32_t pad;
  uint64_t size;
};
struct CloneArgs {  // clone3(2), all versions
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
      set_tid_size, cgroup;
};

}  // namespace starry
