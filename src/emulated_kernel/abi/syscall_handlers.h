// Declarations of every implemented handler, generated from the table:
//   SysResult sys_NAME(Task& t, TYPE0 arg0, ...);
// t is the calling task (== current()).
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/base/result.h"
#include "emulated_kernel/base/user_ptr.h"

namespace starry {

class Task;

#define DECLARE_FULL(...) SysResult __VA_ARGS__;
#define DECLARE_PARTIAL(...) SysResult __VA_ARGS__;
#define DECLARE_NI(...)
#define SYSCALL0(nr, name, st, cls, ret) DECLARE_##st(sys_##name(Task&))
#define SYSCALL1(nr, name, st, cls, ret, t0, a0, k0) DECLARE_##st(sys_##name(Task&, t0))
#define SYSCALL2(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1) \
  DECLARE_##st(sys_##name(Task&, t0, t1))
#define SYSCALL3(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1, t2, a2, k2) \
  DECLARE_##st(sys_##name(Task&, t0, t1, t2))
#define SYSCALL4(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1, t2, a2, k2, t3, a3, k3) \
  DECLARE_##st(sys_##name(Task&, t0, t1, t2, t3))
#define SYSCALL5(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1, t2, a2, k2, t3, a3, k3, t4, a4, k4) \
  DECLARE_##st(sys_##name(Task&, t0, t1, t2, t3, t4))
#define SYSCALL6(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1, t2, a2, k2, t3, a3, k3, t4, a4, k4, \
                 t5, a5, k5)                                                                         \
  DECLARE_##st(sys_##name(Task&, t0, t1, t2, t3, t4, t5))
#include "emulated_kernel/abi/syscalls.def"
#include "emulated_kernel/abi/syscall_undef.h"
#undef DECLARE_FULL
#undef DECLARE_PARTIAL
#undef DECLARE_NI

}  // namespace starry
