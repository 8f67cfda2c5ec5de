// Advisory locks of one inode: flock(2), POSIX record locks and open file description (OFD) locks
// (fcntl(2), "Advisory record locking"). flock locks do not see record locks; POSIX and OFD locks
// conflict with each other.
#pragma once

#include <fcntl.h>

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <vector>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/result.h"
#include "emulated_kernel/fd/lease.h"
#include "emulated_kernel/sync/wait_queue.h"

namespace starry {

class File;

// One record lock. `end` is inclusive; INT64_MAX means "to the end of the file, however it grows".
struct RecordLock {
  const void* owner = nullptr;  // the process's FdTable (POSIX) or description_owner() (OFD)
  int type = F_UNLCK;           // F_RDLCK, F_WRLCK
  int64_t start = 0, end = 0;
  int pid = 0;  // as F_GETLK reports it: -1 for OFD locks
  bool ofd() const { return pid == -1; }
};

class FileLocks final
    : public RefCounted,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  FileLocks(uint64_t dev, uint64_t ino);

  // flock(2) by the process `pid`: op is LOCK_SH, LOCK_EX or LOCK_UN. EWOULDBLOCK if `nonblock`, else
  // sleeps: ERESTARTSYS.
  Result<void> flock(File& file, int op, bool nonblock, int pid);

  // F_SETLK / F_SETLKW with `req.type` F_UNLCK, F_RDLCK or F_WRLCK. EAGAIN unless `wait`; EDEADLK when
  // waiting for POSIX locks would close a circle; ERESTARTSYS.
  Result<void> set_record(const RecordLock& req, bool wait);
  // F_GETLK: a lock that would block `req`, or nullptr.
  const RecordLock* find_conflict(const RecordLock& req) const;

  // All record locks of `owner` go: close(2) of any descriptor by a process, end of a description.
  void drop_records(const void* owner);
  void drop_flock(const void* owner);

  // Rows of /proc/locks.
  struct Row {
    const char* kind;  // "FLOCK", "POSIX", "OFDLCK"
    int type;          // F_RDLCK, F_WRLCK
    int pid;
    uint64_t dev, ino;
    int64_t start, end;  // end INT64_MAX: EOF
  };
  static void for_each(const std::function<void(const Row&)>& fn);

  Leases leases;

 private:
  struct Flock {
    const void* owner;
    int type, pid;
  };
  bool flock_conflict(const void* owner, int type) const;
  void apply_record(RecordLock req);
  static bool would_deadlock(const void* waiter, const RecordLock& blocker);

  const uint64_t dev_, ino_;
  std::vector<Flock> flocks_;
  std::list<RecordLock> records_;  // sorted by start; one owner's locks never overlap
  WaitQueue changed_;
};

// The locks of the file's inode, made on first use.
FileLocks& file_locks(File& f);
// What stands for an open file description as the owner of locks.
const void* description_owner(const File& f);

}  // namespace starry
