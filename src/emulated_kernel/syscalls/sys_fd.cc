// dup(2) and close(2) families.
#include <fcntl.h>
#include <linux/close_range.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/fget.h"

namespace starry {

namespace {

// What close(2) does with a file that left the table. The last reference goes at the caller.
Result<void> finish_close(Task& t, const Ref<File>& f) {
  const Result<void> r = f->flush(t);
  // The descriptor is gone: there is nothing to restart.
  if (r.code() == ERESTARTSYS || r.code() == ERESTARTNOINTR) return Error{EINTR};
  return r;
}

SysResult dup_to(Task& t, int oldfd, int newfd, bool cloexec) {
  if (static_cast<uint32_t>(newfd) >= t.rlimit(RLIMIT_NOFILE)) return Error{EBADF};
  Ref<File> file = TRY(get_file(t, oldfd));
  // What was there is closed silently (dup(2)).
  if (Ref<File> old = t.files->install_at(newfd, std::move(file), cloexec)) (void)finish_close(t, old);
  return newfd;
}

}  // namespace

SysResult sys_close(Task& t, int fd) {
  const Ref<File> f = t.files->remove(fd);
  if (!f) return Error{EBADF};
  TRY(finish_close(t, f));
  return 0;
}

SysResult sys_close_range(Task& t, unsigned first, unsigned last, unsigned flags) {
  if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0 || first > last) return Error{EINVAL};
  if ((flags & CLOSE_RANGE_UNSHARE) != 0 && t.files->ref_count() > 1) t.files = t.files->copy();
  const unsigned end = std::min<unsigned>(last, static_cast<unsigned>(t.files->capacity()) - 1);
  for (unsigned n = first; n <= end; ++n) {
    const int fd = static_cast<int>(n);
    if ((flags & CLOSE_RANGE_CLOEXEC) != 0)
      t.files->set_cloexec(fd, true);
    else if (const Ref<File> f = t.files->remove(fd))
      (void)finish_close(t, f);
  }
  return 0;
}

SysResult sys_dup(Task& t, int oldfd) {
  Ref<File> f = TRY(get_file(t, oldfd));
  return TRY(t.files->install(std::move(f), false, t.rlimit(RLIMIT_NOFILE)));
}

SysResult sys_dup2(Task& t, int oldfd, int newfd) {
  if (oldfd == newfd) {
    TRY(get_file(t, oldfd));
    return newfd;
  }
  return dup_to(t, oldfd, newfd, false);
}

SysResult sys_dup3(Task& t, int oldfd, int newfd, int flags) {
  if ((flags & ~O_CLOEXEC) != 0 || oldfd == newfd) return Error{EINVAL};
  return dup_to(t, oldfd, newfd, (flags & O_CLOEXEC) != 0);
}

}  // namespace starry
