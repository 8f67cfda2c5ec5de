// What other subsystems hang on an open file description. Undone when the description dies, after
// the derived file is gone: nothing here may call into the file.
#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>

#include "emulated_kernel/base/ref.h"

namespace starry {

class FileLocks;   // fd/locks.h
class AsyncOwner;  // fd/async_owner.h
class DirMark;     // fd/dnotify.h

// Links an epoll's watch to the file it watches: the watch goes away with the file (epoll(7), Q6).
class EpollFileHook
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual ~EpollFileHook() = default;
  virtual void file_released() = 0;  // must unlink (may delete) the hook
};

struct FileAttachments {
  FileAttachments();
  ~FileAttachments();
  FileAttachments(const FileAttachments&) = delete;
  FileAttachments& operator=(const FileAttachments&) = delete;

  boost::intrusive::list<EpollFileHook, boost::intrusive::constant_time_size<false>> epoll_watches;
  std::unique_ptr<AsyncOwner> owner;  // F_SETOWN, F_SETSIG, O_ASYNC; null until used
  std::unique_ptr<DirMark> dir_mark;  // F_NOTIFY
  Ref<FileLocks> owned_locks;         // where this description holds flock or OFD locks or a lease
  Ref<FileLocks> private_lock_slot;   // File::lock_slot() of files without an inode of their own
};

}  // namespace starry
