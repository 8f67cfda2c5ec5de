#include "emulated_kernel/fd/file_attachments.h"

#include "emulated_kernel/fd/async_owner.h"
#include "emulated_kernel/fd/dnotify.h"
#include "emulated_kernel/fd/inotify.h"
#include "emulated_kernel/fd/locks.h"

namespace starry {

FileAttachments::FileAttachments() = default;

FileAttachments::~FileAttachments() {
  while (!epoll_watches.empty()) epoll_watches.front().file_released();
  if (owned_locks) {
    owned_locks->drop_flock(this);
    owned_locks->drop_records(this);
    (void)owned_locks->leases.remove(this);  // there may be none
  }
}

}  // namespace starry
