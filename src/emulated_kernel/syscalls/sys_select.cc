// select(2) and pselect(2).
#include <algorithm>
#include <array>
#include <vector>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/poll.h"
#include "emulated_kernel/signal/wait_mask.h"
#include "emulated_kernel/syscalls/poll_timeout.h"

namespace starry {

namespace {

Result<int> do_select(Task& t, int nfds, const std::array<UserPtr<uint64_t>, 3>& user, Deadline deadline) {
  if (nfds < 0) return Error{EINVAL};
  // Descriptors beyond the table cannot be open; Linux does not even look at their bits.
  nfds = std::min(nfds, t.files->capacity());
  const auto words = static_cast<size_t>(nfds + 63) / 64;
  std::array<uint64_t, 3 * 16> small;
  std::vector<uint64_t> large(words > 16 ? 3 * words : 0);
  uint64_t* const bits = large.empty() ? small.data() : large.data();
  std::array<uint64_t*, 3> sets{};
  for (size_t i = 0; i < 3; ++i) {
    if (!user[i]) continue;
    sets[i] = bits + i * words;
    TRY(t.mem().read(user[i].addr, sets[i], words * sizeof(uint64_t)));
  }
  const int ready = TRY(select_fds(*t.files, nfds, {sets[0], sets[1], sets[2]}, deadline));
  for (size_t i = 0; i < 3; ++i)
    if (user[i]) TRY(t.mem().write(user[i].addr, sets[i], words * sizeof(uint64_t)));
  return ready;
}

}  // namespace

SysResult sys_select(Task& t, int nfds, UserPtr<uint64_t> readfds, UserPtr<uint64_t> writefds,
                     UserPtr<uint64_t> exceptfds, UserPtr<timeval> timeout) {
  const Deadline deadline = TRY(deadline_of(t, timeout));
  const Result<int> r = do_select(t, nfds, {readfds, writefds, exceptfds}, deadline);
  return finish_timed_wait(t, r, deadline, timeout);
}

SysResult sys_pselect6(Task& t, int nfds, UserPtr<uint64_t> readfds, UserPtr<uint64_t> writefds,
                       UserPtr<uint64_t> exceptfds, UserPtr<timespec> timeout,
                       UserPtr<const GuestSigsetArg> sigmask) {
  GuestSigsetArg mask{};
  if (sigmask) mask = TRY(t.mem().get(UserPtr<GuestSigsetArg>{sigmask.addr}));
  const Deadline deadline = TRY(deadline_of(t, timeout));
  TRY(set_wait_mask(t, {mask.set}, mask.size));
  const Result<int> r = do_select(t, nfds, {readfds, writefds, exceptfds}, deadline);
  return finish_timed_wait(t, r, deadline, timeout);
}

}  // namespace starry
