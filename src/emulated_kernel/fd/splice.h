// splice(2), tee(2), vmsplice(2). Linux moves pages; here the bytes are copied, which a program cannot
// tell apart except by changing memory that it has given to vmsplice.
#pragma once

#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/fd/pipe.h"

namespace starry {

// Each moves up to `len` bytes, waits for the first one only, and returns how many; 0 at the end of the
// input. `nonblock`: EAGAIN instead of waiting for a pipe. ERESTARTSYS, EPIPE (with SIGPIPE).
Result<size_t> splice_pipe_to_pipe(Pipe& in, Pipe& out, size_t len, bool nonblock);
// `pos` as for File::read and File::write.
Result<size_t> splice_file_to_pipe(File& in, int64_t* pos, Pipe& out, size_t len, bool nonblock);
Result<size_t> splice_pipe_to_file(Task& t, Pipe& in, File& out, int64_t* pos, size_t len, bool nonblock);
// The bytes stay in `in`.
Result<size_t> tee_pipe(Pipe& in, Pipe& out, size_t len, bool nonblock);

}  // namespace starry
