// The seccomp filter of every guest process. By hand, because libseccomp cannot test the instruction
// pointer: host calls pass only from the stub's gate, and only those on this list; all others trap.
#pragma once

#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

namespace starry::chan {

inline constexpr int FILTER_ALLOWED[] = {
    __NR_futex,
    __NR_rt_sigreturn,
    __NR_mmap,
    __NR_munmap,
    __NR_mprotect,
    __NR_mremap,
    __NR_madvise,
    __NR_msync,
    __NR_mincore,
    __NR_recvmsg,
    __NR_close,
    __NR_dup2,
    __NR_clone,
    __NR_exit,
    __NR_exit_group,
    __NR_prctl,
    __NR_getppid,
    __NR_arch_prctl,
    __NR_rt_sigprocmask,
    __NR_membarrier,
    __NR_clock_gettime,
    __NR_sched_yield,
    __NR_sched_setaffinity,
};
inline constexpr int FILTER_MAX = 64;

// Writes the program for a gate [start, end) within one 4 GiB range. Returns its length. `kernel_tid`: the
// only thread whose CPUs may be changed.
inline int build_filter(sock_filter* f, uint64_t start, uint64_t end, uint32_t kernel_tid) {
  constexpr int COUNT = sizeof FILTER_ALLOWED / sizeof FILTER_ALLOWED[0];
  int n = 0;
  auto stmt = [&](unsigned code, unsigned k) {
    f[n].code = static_cast<uint16_t>(code), f[n].jt = 0, f[n].jf = 0, f[n].k = k;
    ++n;
  };
  auto jump = [&](unsigned code, unsigned k, int jt, int jf) {
    f[n].code = static_cast<uint16_t>(code), f[n].jt = static_cast<uint8_t>(jt);
    f[n].jf = static_cast<uint8_t>(jf), f[n].k = k;
    ++n;
  };
  constexpr unsigned LD = BPF_LD | BPF_W | BPF_ABS, JEQ = BPF_JMP | BPF_JEQ | BPF_K,
                     JGE = BPF_JMP | BPF_JGE | BPF_K;
  // Labels: after `total` instructions come [trap][allow].
  const int total = 8 + 2 * 3 + (COUNT - 2);
  const int trap = total, allow = total + 1;
  stmt(LD, offsetof(struct seccomp_data, arch));
  jump(JEQ, AUDIT_ARCH_X86_64, 0, trap - n - 1);
  stmt(LD, offsetof(struct seccomp_data, instruction_pointer) + 4);
  jump(JEQ, static_cast<unsigned>(start >> 32), 0, trap - n - 1);
  stmt(LD, offsetof(struct seccomp_data, instruction_pointer));
  jump(JGE, static_cast<unsigned>(start), 0, trap - n - 1);
  jump(JGE, static_cast<unsigned>(end), trap - n - 1, 0);
  stmt(LD, offsetof(struct seccomp_data, nr));
  auto only_with = [&](int nr, uint32_t first_argument) {
    jump(JEQ, static_cast<unsigned>(nr), 0, 2);
    stmt(LD, offsetof(struct seccomp_data, args[0]));
    jump(JEQ, first_argument, allow - n - 1, trap - n - 1);
  };
  only_with(__NR_prctl, PR_SET_PDEATHSIG);  // what a forked child needs: to die with the supervisor
  only_with(__NR_sched_setaffinity, kernel_tid);
  for (int nr : FILTER_ALLOWED)
    if (nr != __NR_prctl && nr != __NR_sched_setaffinity)
      jump(JEQ, static_cast<unsigned>(nr), allow - n - 1, 0);
  while (n < trap) jump(BPF_JMP | BPF_JA, 0, 0, 0);
  stmt(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
  stmt(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  return n;
}

}  // namespace starry::chan
