// signalfd(2).
#include <sys/signalfd.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/fd/signalfd.h"

namespace starry {

SysResult sys_signalfd4(Task& t, int fd, UserPtr<const uint64_t> mask, size_t sizemask, int flags) {
  if (sizemask != sizeof(SigSet)) return Error{EINVAL};
  const SigSet set = TRY(t.mem().get(UserPtr<uint64_t>{mask.addr}));
  if ((flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)) != 0) return Error{EINVAL};
  if (fd == -1) {
    return TRY(t.files->install(make_ref<SignalFd>(set, flags), (flags & SFD_CLOEXEC) != 0,
                                t.rlimit(RLIMIT_NOFILE)));
  }
  const Ref<File> f = TRY(get_io_file(t, fd));
  auto* s = dynamic_cast<SignalFd*>(f.get());
  if (s == nullptr) return Error{EINVAL};
  s->set_mask(set);
  return fd;
}

SysResult sys_signalfd(Task& t, int fd, UserPtr<const uint64_t> mask, size_t sizemask) {
  return sys_signalfd4(t, fd, mask, sizemask, 0);
}

}  // namespace starry
