// pidfd_open(2), CLONE_PIDFD: a process as a file. Readable once the process has ended.
#pragma once

#include "emulated_kernel/fd/file.h"

namespace starry {

class ThreadGroup;

// flags: PIDFD_NONBLOCK (O_NONBLOCK).
Ref<File> make_pidfd(ThreadGroup& group, int flags = 0);
// The process behind a pidfd, kept as long as the file; nullptr: not a pidfd.
ThreadGroup* pidfd_group(File& f);

}  // namespace starry
