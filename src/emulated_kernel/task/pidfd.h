// Descriptors that refer to processes (pidfd_open(2)).
#pragma once

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/fd/file.h"

namespace starry {

class ThreadGroup;

Ref<File> make_pidfd(Ref<ThreadGroup> g, int flags);
// The process behind a pidfd, null if `f` is another kind of file.
ThreadGroup* pidfd_group(File& f);

}  // namespace starry
