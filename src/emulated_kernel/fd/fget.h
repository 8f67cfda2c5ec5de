// Looking up the file of a descriptor for an operation on the file itself.
#pragma once

#include <fcntl.h>

#include "emulated_kernel/task/task.h"

namespace starry {

// As get_file(), but EBADF also for O_PATH descriptors: they only name a place (open(2)).
inline Result<Ref<File>> get_io_file(Task& t, int fd) {
  File* f = t.file(fd);
  if (f == nullptr || (f->flags() & O_PATH) != 0) return Error{EBADF};
  return Ref<File>(f);
}

}  // namespace starry
