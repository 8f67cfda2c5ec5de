// Memory of other processes: process_vm_readv(2), process_vm_writev(2); userfaultfd(2), refused.
#include <fcntl.h>
#include <linux/capability.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/log.h"
#include "emulated_kernel/fd/iovec_import.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/secretmem.h"
#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr size_t VM_CHUNK = 64 * 1024;

// Copies between `local` and one remote segment. Bytes copied; EFAULT if the first one cannot be.
Result<size_t> copy_segment(Mm& remote, const GuestIovec& seg, IoVec& local, bool write) {
  std::vector<uint8_t> buf(std::min<size_t>({seg.len, local.remaining(), VM_CHUNK}));
  size_t done = 0;
  while (done < seg.len && !local.empty()) {
    const size_t want = std::min<size_t>({seg.len - done, local.remaining(), buf.size()});
    const uint64_t at = seg.base + done;
    if (holds_secrets(remote, at, want)) return done != 0 ? Result<size_t>(done) : Error{EFAULT};
    auto from = write ? local.peek_in(buf.data(), want) : remote.read_some(at, buf.data(), want);
    if (!from) return done != 0 ? Result<size_t>(done) : from.error();
    auto to = write ? remote.write_some(at, buf.data(), *from) : local.copy_out(buf.data(), *from);
    if (!to) return done != 0 ? Result<size_t>(done) : to.error();
    if (write) local.advance(*to);
    done += *to;
    if (*to < want) break;
  }
  return done;
}

SysResult transfer(Task& t, int pid, UserPtr<const GuestIovec> local_iov, unsigned long liovcnt,
                   UserPtr<const GuestIovec> remote_iov, unsigned long riovcnt, unsigned long flags,
                   bool write) {
  if (flags != 0) return Error{EINVAL};
  const auto segs = TRY(import_iovec(t.mem(), local_iov, liovcnt));
  IoVec local(t.mm.get(), segs);
  if (local.empty()) return 0;
  if (riovcnt > UIO_MAXIOV_NR) return Error{EINVAL};
  const auto remote = TRY(t.mem().get_array(UserPtr<GuestIovec>{remote_iov.addr}, riovcnt));
  if (std::any_of(remote.begin(), remote.end(),
                  [](const GuestIovec& v) { return static_cast<int64_t>(v.len) < 0; }))
    return Error{EINVAL};
  if (std::all_of(remote.begin(), remote.end(), [](const GuestIovec& v) { return v.len == 0; })) return 0;
  Task* target = find_task(t, pid);
  if (target == nullptr || !target->mm) return Error{ESRCH};
  if (!may_attach(t, *target)) return Error{EPERM};
  const Ref<Mm> mm = target->mm;
  size_t done = 0;
  for (const GuestIovec& seg : remote) {
    if (seg.len == 0 || local.empty()) continue;
    const size_t want = std::min<size_t>(seg.len, local.remaining());
    auto n = copy_segment(*mm, seg, local, write);
    if (!n) return done != 0 ? SysResult(static_cast<int64_t>(done)) : n.error();
    done += *n;
    if (*n < want) break;
  }
  return static_cast<int64_t>(done);
}

}  // namespace

SysResult sys_process_vm_readv(Task& t, int pid, UserPtr<const GuestIovec> local_iov, unsigned long liovcnt,
                               UserPtr<const GuestIovec> remote_iov, unsigned long riovcnt,
                               unsigned long flags) {
  return transfer(t, pid, local_iov, liovcnt, remote_iov, riovcnt, flags, false);
}

SysResult sys_process_vm_writev(Task& t, int pid, UserPtr<const GuestIovec> local_iov, unsigned long liovcnt,
                                UserPtr<const GuestIovec> remote_iov, unsigned long riovcnt,
                                unsigned long flags) {
  return transfer(t, pid, local_iov, liovcnt, remote_iov, riovcnt, flags, true);
}

// As with vm.unprivileged_userfaultfd = 0: ordinary users may not have faults of the kernel handled.
SysResult sys_userfaultfd(Task& t, int flags) {
  constexpr int USER_MODE_ONLY = 1;
  if ((flags & USER_MODE_ONLY) && (flags & ~(O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY))) return Error{EINVAL};
  if (!t.cred->capable(CAP_SYS_PTRACE)) return Error{EPERM};
  klog(LogLevel::warn, "userfaultfd is not implemented");
  return Error{ENOSYS};
}

}  // namespace starry
