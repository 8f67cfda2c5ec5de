// Reading and writing an open file on behalf of a task: what read(2), write(2), sendfile(2) and the
// like have in common beyond File::read and File::write.
#pragma once

#include "emulated_kernel/fd/file.h"

namespace starry {

class Task;

// EBADF if not open for reading. `pos`: as File::read.
Result<size_t> file_read(File& f, IoVec& to, int64_t* pos, int flags);
// EBADF if not open for writing; RLIMIT_FSIZE with SIGXFSZ and EFBIG, loss of set-user-ID bits.
Result<size_t> file_write(Task& t, File& f, IoVec& from, int64_t* pos, int flags);
// RLIMIT_FSIZE for a file that is to become `size` bytes long: SIGXFSZ and EFBIG.
Result<void> check_file_size(Task& t, int64_t size);

}  // namespace starry
