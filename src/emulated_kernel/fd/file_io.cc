#include "emulated_kernel/fd/file_io.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/uio.h>

#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/task.h"
#include "vfs/inode.h"
#include "vfs/ops.h"
#include "vfs/vfs.h"

namespace starry {

Result<void> check_file_size(Task& t, int64_t size) {
  if (static_cast<uint64_t>(size) <= t.rlimit(RLIMIT_FSIZE)) return {};
  TRY(send_signal(t, siginfo_kernel(SIGXFSZ)));
  return Error{EFBIG};
}

Result<size_t> file_read(File& f, IoVec& to, int64_t* pos, int flags) {
  if (!f.readable()) return Error{EBADF};
  return f.read(to, pos, flags);
}

Result<size_t> file_write(Task& t, File& f, IoVec& from, int64_t* pos, int flags) {
  if (!f.writable()) return Error{EBADF};
  Inode* inode = vfs_inode(f);
  if (inode == nullptr || !inode->is_regular()) return f.write(from, pos, flags);

  const uint64_t limit = t.rlimit(RLIMIT_FSIZE);
  if (limit != RLIM_INF && !from.empty()) {
    const bool append = (f.flags() & O_APPEND) || (flags & RWF_APPEND);
    Kstat st = TRY(inode->stat());
    const uint64_t at = append ? st.size : static_cast<uint64_t>(pos != nullptr ? *pos : f.pos);
    if (at >= limit) {
      TRY(send_signal(t, siginfo_kernel(SIGXFSZ)));
      return Error{EFBIG};
    }
    from.truncate(limit - at);
  }
  if (inode->attr.mode & (S_ISUID | S_ISGID)) TRY(drop_privileged_bits(*t.cred, *inode));
  return f.write(from, pos, flags);
}

}  // namespace starry
