// kcmp(2): whether two tasks share something.
#include <linux/kcmp.h>

#include <functional>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/epoll.h"
#include "emulated_kernel/task/task.h"
#include "vfs/fs_context.h"

namespace starry {

namespace {

// 0: the same object; 1 and 2: some order of different ones, as good for sorting as any.
int64_t compare(const void* a, const void* b) {
  if (a == b) return 0;
  return std::less<>()(a, b) ? 1 : 2;
}

Result<Ref<File>> file_of(const Task& t, unsigned long fd) {
  Ref<File> f;
  if (t.files && fd <= INT32_MAX) f = Ref<File>(t.files->get(static_cast<int>(fd)));
  if (!f) return Error{EBADF};
  return f;
}

}  // namespace

SysResult sys_kcmp(Task& t, int pid1, int pid2, int type, unsigned long idx1, unsigned long idx2) {
  const Task* a = find_task(t, pid1);
  const Task* b = find_task(t, pid2);
  if (a == nullptr || b == nullptr) return Error{ESRCH};
  if (!may_inspect(t, *a) || !may_inspect(t, *b)) return Error{EPERM};
  switch (type) {
    case KCMP_FILE: {
      const Ref<File> x = TRY(file_of(*a, idx1)), y = TRY(file_of(*b, idx2));
      return compare(x.get(), y.get());
    }
    case KCMP_VM:
      return compare(a->mm.get(), b->mm.get());
    case KCMP_FILES:
      return compare(a->files.get(), b->files.get());
    case KCMP_FS:
      return compare(a->fs.get(), b->fs.get());
    case KCMP_SIGHAND:
      return compare(a->group->signals.handlers.get(), b->group->signals.handlers.get());
    case KCMP_EPOLL_TFD: {
      const Ref<File> x = TRY(file_of(*a, idx1));
      const auto slot = TRY(t.mem().get(UserPtr<kcmp_epoll_slot>{idx2}));
      const Ref<File> epoll = TRY(file_of(*b, slot.efd));
      const File* target = TRY(epoll_target(*epoll, static_cast<int>(slot.tfd), slot.toff));
      return compare(x.get(), target);
    }
    case KCMP_IO:
      return 0;  // nobody has an I/O context
    case KCMP_SYSVSEM:
      return compare(a->sem_undo.get(), b->sem_undo.get());
    default:
      return Error{EINVAL};
  }
}

}  // namespace starry
