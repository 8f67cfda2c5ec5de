// Types that rows of abi/syscalls.def name. Guest structures with their kernel ABI layout.
#pragma once

#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/utsname.h>
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
struct GuestUstat {  // ustat(2)
  int32_t tfree;
  uint32_t pad;
  uint64_t tinode;
  char fname[6], fpack[6];
  uint32_t pad2;
};
struct GuestFileHandle {  // struct file_handle: the bytes follow
  uint32_t bytes;
  int32_t type;
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
struct GuestSigsetArg {  // sixth argument of pselect6(2)
  UserAddr set;
  uint64_t size;
};
struct GuestSigevent {  // sigevent(3type): what timer_create and mq_notify get
  uint64_t value;
  int32_t signo;
  int32_t notify;
  union {
    int32_t tid;
    struct {
      UserAddr function, attribute;
    } thread;
    uint8_t pad[48];
  };
};
static_assert(sizeof(GuestSigevent) == 64);
struct GuestSembuf {  // semop(2)
  uint16_t num;
  int16_t op, flags;
};
struct GuestCapHeader {  // capget(2)
  uint32_t version;
  int32_t pid;
};
struct GuestCapData {
  uint32_t effective, permitted, inheritable;
};
struct GuestSchedAttr {  // sched_setattr(2), including the util clamps
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t util_min, util_max;
};
struct GuestOpenHow {  // openat2(2)
  uint64_t flags, mode, resolve;
};
struct GuestRseq {  // rseq(2), original ABI
  uint32_t cpu_id_start, cpu_id;
  UserAddr rseq_cs;
  uint32_t flags;
  uint32_t pad[3];
};
static_assert(sizeof(GuestRseq) == 32);
struct GuestFutexWaitv {  // futex_waitv(2)
  uint64_t val, uaddr;
  uint32_t flags, reserved;
};

}  // namespace starry
