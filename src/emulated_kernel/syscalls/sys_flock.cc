// flock(2).
#include <sys/file.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/fd/locks.h"

namespace starry {

SysResult sys_flock(Task& t, int fd, int operation) {
  if (operation & LOCK_MAND) return 0;  // not supported any more (flock(2)), and nothing else is looked at
  const int op = operation & ~LOCK_NB;
  if (op != LOCK_SH && op != LOCK_EX && op != LOCK_UN) return Error{EINVAL};
  const Ref<File> f = TRY(get_io_file(t, fd));
  if (op != LOCK_UN && !f->readable() && !f->writable()) return Error{EBADF};
  TRY(file_locks(*f).flock(*f, op, (operation & LOCK_NB) != 0, t.tgid()));
  return 0;
}

}  // namespace starry
