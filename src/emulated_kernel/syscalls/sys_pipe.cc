// pipe(2).
#include <fcntl.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/pipe.h"
#include "emulated_kernel/task/task.h"

namespace starry {

SysResult sys_pipe2(Task& t, UserPtr<int> pipefd, int flags) {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) != 0) return Error{EINVAL};
  const PipeEnds ends = make_pipe(flags, t.cred->fsuid, t.cred->fsgid);
  const bool cloexec = (flags & O_CLOEXEC) != 0;
  const int reader = TRY(t.files->install(ends.reader, cloexec, t.rlimit(RLIMIT_NOFILE)));
  const Result<int> writer = t.files->install(ends.writer, cloexec, t.rlimit(RLIMIT_NOFILE));
  if (!writer.ok()) {
    t.files->remove(reader);
    return writer.error();
  }
  struct {
    int fds[2];
  } pair = {{reader, writer.value()}};
  if (const Result<void> r = t.mem().put(pipefd.cast<decltype(pair)>(), pair); !r.ok()) {
    t.files->remove(reader);
    t.files->remove(writer.value());
    return r.error();
  }
  return 0;
}

SysResult sys_pipe(Task& t, UserPtr<int> pipefd) { return sys_pipe2(t, pipefd, 0); }

}  // namespace starry
