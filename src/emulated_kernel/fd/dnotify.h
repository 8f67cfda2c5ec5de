// Directory change signals: F_NOTIFY of fcntl(2), the predecessor of inotify(7). A mark ties an open
// description of a directory to the directory's watches; whoever tells inotify tells it too.
#pragma once

#include <boost/intrusive/list.hpp>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/result.h"

namespace starry {

class File;
class Inode;
class InodeWatches;
class Task;

class DirMark
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  DirMark(File& f, const void* files, Ref<InodeWatches> w);
  ~DirMark();

  File& file;
  const void* const owner;  // the descriptor table that it was set through: a close there ends it
  uint32_t mask = 0;        // DN_*
  const Ref<InodeWatches> on;
};

// How many marks there are.
size_t dir_mark_count();
// DN_* bits that an IN_* event sets off, without DN_RENAME.
uint32_t dnotify_bits(uint32_t inotify_event);
// Sends the signal (POLL_MSG); a mark without DN_MULTISHOT ends.
void dnotify_send(DirMark& mark);

// F_NOTIFY. `mask` is added to what was asked before; without events it ends the mark. ENOTDIR.
Result<void> dnotify_set(Task& t, File& f, int fd, uint32_t mask);

}  // namespace starry
