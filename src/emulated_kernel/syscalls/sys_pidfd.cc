// pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), process_madvise(2), process_mrelease(2).
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>

#include <csignal>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/iovec_import.h"
#include "emulated_kernel/fd/pidfd.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/ptrace.h"
#include "vfs/procfs/procfs.h"

namespace starry {

namespace {

// The process behind descriptor `fd`. EBADF.
Result<Ref<ThreadGroup>> group_of_fd(Task& t, int fd) {
  const Ref<File> f = TRY(get_file(t, fd));
  ThreadGroup* g = pidfd_group(*f);
  if (g == nullptr) return Error{EBADF};
  return Ref<ThreadGroup>(g);
}

bool reaped(const ThreadGroup& g) { return &g != &init_group() && find_group(g.tgid) != &g; }

// The same for pidfd_send_signal(2), which also takes an open /proc/PID.
Result<Ref<ThreadGroup>> group_of_fd_or_directory(Task& t, int fd) {
  const Ref<File> f = TRY(get_file(t, fd));
  ThreadGroup* g = pidfd_group(*f);
  if (g != nullptr) return Ref<ThreadGroup>(g);
  return proc_group_of_directory(*f);
}

// A thread that still holds the memory of its process.
Task* thread_with_memory(ThreadGroup& g) {
  const auto it = std::find_if(g.threads.begin(), g.threads.end(), [](Task* t) { return t->mm != nullptr; });
  return it == g.threads.end() ? nullptr : *it;
}

bool advice_for_others(int advice) {
  constexpr int COLLAPSE = 25;  // MADV_COLLAPSE
  return advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED || advice == COLLAPSE;
}

}  // namespace

SysResult sys_pidfd_open(Task& t, int pid, unsigned flags) {
  if ((flags & ~static_cast<unsigned>(O_NONBLOCK)) != 0 || pid <= 0) return Error{EINVAL};
  const Task* target = t.kernel_pid(pid) == init_group().tgid ? &init_task() : find_task(t, pid);
  if (target == nullptr) return Error{ESRCH};
  if (t.shown_pid(target->tgid()) != pid) return Error{EINVAL};
  Ref<File> f = make_pidfd(*target->group, static_cast<int>(flags));
  return TRY(t.files->install(std::move(f), true, t.rlimit(RLIMIT_NOFILE)));
}

SysResult sys_pidfd_send_signal(Task& t, int pidfd, int sig, UserPtr<const SigInfo> info, unsigned flags) {
  if (flags != 0) return Error{EINVAL};
  const Ref<ThreadGroup> g = TRY(group_of_fd_or_directory(t, pidfd));
  if (!g->pid_ns->is_below(*t.group->pid_ns)) return Error{EINVAL};
  SigInfo sent = siginfo_user(sig, t);
  if (info) {
    TRY(t.mem().read(info.addr, &sent, sizeof sent));
    if (sent.signo != sig) return Error{EINVAL};
    sent = claimed_siginfo(sent);
    if (g != t.group && (sent.code >= 0 || sent.code == SI_TKILL)) return Error{EPERM};
  }
  if (reaped(*g)) return Error{ESRCH};
  if (sig < 0 || sig > SIG_COUNT) return Error{EINVAL};
  if (!may_signal(t, *g, sig)) return Error{EPERM};
  if (sig != 0) TRY(send_signal(*g, sent));
  return 0;
}

SysResult sys_pidfd_getfd(Task& t, int pidfd, int targetfd, unsigned flags) {
  if (flags != 0) return Error{EINVAL};
  const Ref<ThreadGroup> g = TRY(group_of_fd(t, pidfd));
  const Task* target = g == &init_group() ? &init_task() : g->leader();
  if (reaped(*g) || target == nullptr || target->exiting) return Error{ESRCH};
  if (!may_attach(t, *target)) return Error{EPERM};
  Ref<File> f(target->files ? target->files->get(targetfd) : nullptr);
  if (!f) return Error{EBADF};
  return TRY(t.files->install(std::move(f), true, t.rlimit(RLIMIT_NOFILE)));
}

// The advice for other processes is about when their pages are where. Only a process itself can tell the
// host, so beyond the checks nothing happens.
SysResult sys_process_madvise(Task& t, int pidfd, UserPtr<const GuestIovec> iovec, size_t vlen, int advice,
                              unsigned flags) {
  if (flags != 0) return Error{EINVAL};
  const std::vector<IoVec::Segment> segs = TRY(import_iovec(t.mem(), iovec, vlen));
  const Ref<ThreadGroup> g = TRY(group_of_fd(t, pidfd));
  Task* target = thread_with_memory(*g);
  if (target == nullptr) return Error{ESRCH};
  const bool own = target->mm == t.mm;
  if (!own && !advice_for_others(advice)) return Error{EINVAL};
  if (!own && !may_attach(t, *target)) return Error{EPERM};
  if (!own && !t.cred->capable(CAP_SYS_NICE)) return Error{EPERM};
  int64_t done = 0;
  for (const IoVec::Segment& s : segs) {
    const Result<void> r =
        own ? t.mm->madvise(*t.host, s.base, s.len, advice) : target->mm->check_advice(s.base, s.len);
    if (!r.ok()) return done != 0 ? SysResult(done) : r.error();
    done += static_cast<int64_t>(s.len);
  }
  return done;
}

// A killed process gives its memory back as it ends, so this is to wait for that.
SysResult sys_process_mrelease(Task& t, int pidfd, unsigned flags) {
  if (flags != 0) return Error{EINVAL};
  const Ref<ThreadGroup> g = TRY(group_of_fd(t, pidfd));
  if (thread_with_memory(*g) == nullptr) return Error{ESRCH};
  if (!g->exiting) return Error{EINVAL};
  TRY(wait_event(g->pidfd_queue, Deadline::never(), [&] { return thread_with_memory(*g) == nullptr; }));
  return 0;
}

}  // namespace starry
