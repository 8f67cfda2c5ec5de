// poll(2) and ppoll(2).
#include <array>
#include <limits>
#include <vector>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/poll.h"
#include "emulated_kernel/signal/wait_mask.h"
#include "emulated_kernel/syscalls/poll_timeout.h"

namespace starry {

namespace {

Result<int> do_poll(Task& t, UserPtr<pollfd> fds, unsigned nfds, Deadline deadline) {
  if (nfds > t.rlimit(RLIMIT_NOFILE) || nfds > MAX_POLL_FDS) return Error{EINVAL};
  std::array<pollfd, 16> few;
  std::vector<pollfd> many(nfds > few.size() ? nfds : 0);
  const std::span<pollfd> copy(many.empty() ? few.data() : many.data(), nfds);
  if (nfds != 0) TRY(t.mem().read(fds.addr, copy.data(), copy.size_bytes()));
  const int ready = TRY(poll_fds(*t.files, copy, deadline));
  if (nfds != 0) TRY(t.mem().write(fds.addr, copy.data(), copy.size_bytes()));
  return ready;
}

// poll(2) goes on with the time that is left when no handler ran (restart_syscall(2)).
SysResult poll_or_restart(Task& t, UserPtr<pollfd> fds, unsigned nfds, Deadline deadline) {
  const Result<int> r = do_poll(t, fds, nfds, deadline);
  if (r.code() != ERESTARTNOHAND) return r.ok() ? SysResult(r.value()) : r.error();
  t.restart_block = [=](Task& task) { return poll_or_restart(task, fds, nfds, deadline); };
  return Error{ERESTART_RESTARTBLOCK};
}

}  // namespace

SysResult sys_poll(Task& t, UserPtr<pollfd> fds, unsigned nfds, int timeout) {
  return poll_or_restart(t, fds, nfds, deadline_of_ms(timeout));
}

SysResult sys_ppoll(Task& t, UserPtr<pollfd> fds, unsigned nfds, UserPtr<timespec> tmo_p,
                    UserPtr<const uint64_t> sigmask, size_t sigsetsize) {
  const Deadline deadline = TRY(deadline_of(t, tmo_p));
  TRY(set_wait_mask(t, sigmask, sigsetsize));
  const Result<int> r = do_poll(t, fds, nfds, deadline);
  return finish_timed_wait(t, r, deadline, tmo_p);
}

}  // namespace starry
