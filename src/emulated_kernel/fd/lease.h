// File leases (fcntl(2), "Leases"): the holder is told by a signal before somebody else opens or truncates
// the file in a way that conflicts, and that somebody waits until the holder gave way.
#pragma once

#include <cstdint>
#include <vector>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/sync/wait_queue.h"

namespace starry {

class File;

// The leases of one inode; part of its FileLocks.
class Leases {
 public:
  bool empty() const { return leases_.empty(); }
  // F_SETLEASE with F_RDLCK or F_WRLCK through `f`. The caller has checked who else has the file open.
  // EAGAIN: another lease is in the way.
  Result<void> set(File& f, int type);
  Result<void> remove(const void* owner);  // F_UNLCK, or the end of a description. EAGAIN: there is none
  // F_GETLEASE: the lease held through `f`, or what it is to become while it is being broken.
  int get(const File& f) const;
  // Before an open with these flags, or a truncation (O_WRONLY). EWOULDBLOCK with O_NONBLOCK, ERESTARTSYS.
  Result<void> break_for(int open_flags);

 private:
  struct Lease {
    const void* owner;  // description_owner()
    File* file;
    int type;
    int wanted;  // weaker than `type` while it is being broken
  };
  bool conflict(bool write) const;
  void tell_holders(int allowed);
  template <class Pred>
  size_t end(Pred&& which);

  std::vector<Lease> leases_;
  WaitQueue changed_;
};

// For the VFS: TRY(break_leases(inode.locks, flags)) once an open is permitted.
class FileLocks;
Result<void> break_leases(FileLocks* locks, int open_flags);

}  // namespace starry
