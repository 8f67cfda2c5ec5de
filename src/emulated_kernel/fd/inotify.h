// inotify(7). Whoever changes an inode tells the inode's watches (the VFS through vfs/notify.h); each
// watch queues an event at its inotify instance.
#pragma once

#include <fcntl.h>
#include <sys/inotify.h>

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <deque>
#include <string>
#include <string_view>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/fd/dnotify.h"

namespace starry {

class Inotify;
class InodeWatches;

// One watch: an instance's interest in an inode. Belongs to the instance.
class InotifyWatch
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>,
      public boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  InotifyWatch(Inotify& i, int n, uint32_t m, Ref<InodeWatches> w, Ref<RefCounted> inode, const Kstat& st)
      : instance(i), wd(n), mask(m), dev(st.dev), ino(st.ino), pinned(std::move(inode)), on(std::move(w)) {}
  bool operator<(const InotifyWatch& o) const { return wd < o.wd; }

  Inotify& instance;
  const int wd;
  uint32_t mask;  // IN_* events, IN_ONESHOT, IN_EXCL_UNLINK
  const uint64_t dev, ino;
  const Ref<RefCounted> pinned;  // the inode: it stays the same object while it is watched
  const Ref<InodeWatches> on;
};

// The watches of one inode; the inode keeps it in its `watches` slot.
class InodeWatches final : public RefCounted {
 public:
  bool empty() const { return watches_.empty() && marks_.empty(); }
  // Queues `event` (IN_* with IN_ISDIR) for whoever wants it. `name`: the entry of a directory, or empty.
  // `unlinked`: the entry has been removed already (IN_EXCL_UNLINK).
  void notify(uint32_t event, std::string_view name, uint32_t cookie, bool unlinked = false);
  // The inode ceased to exist: IN_DELETE_SELF, then all watches end with IN_IGNORED.
  void deleted();
  InotifyWatch* find(const Inotify& instance);
  void add_mark(DirMark& mark) { marks_.push_back(mark); }
  // A rename within the directory: what only F_NOTIFY tells apart.
  void renamed_within() { tell_marks(DN_RENAME); }

 private:
  friend class Inotify;
  void tell_marks(uint32_t bits);
  boost::intrusive::list<InotifyWatch, boost::intrusive::constant_time_size<false>> watches_;
  boost::intrusive::list<DirMark, boost::intrusive::constant_time_size<false>> marks_;
};

// False while nobody watches anything: callers skip all work.
bool inotify_active();
// A number that ties IN_MOVED_FROM and IN_MOVED_TO together.
uint32_t inotify_cookie();

class Inotify final : public AnonFile {
 public:
  explicit Inotify(int flags);  // IN_NONBLOCK
  ~Inotify() override;

  // inotify_add_watch(2) for an inode that was looked up: `slot` is its place for the watches, `inode` what
  // to keep alive. EEXIST, ENOSPC.
  Result<int> watch(Ref<RefCounted>& slot, Ref<RefCounted> inode, const Kstat& st, uint32_t mask);
  Result<void> remove(int wd);  // EINVAL
  void queue(int wd, uint32_t mask, uint32_t cookie, std::string_view name);
  void drop(InotifyWatch& w);  // with IN_IGNORED

  Result<size_t> read(IoVec& to, int64_t* pos, int flags) override;
  uint32_t poll() override;
  WaitQueue* poll_queue() override { return &queue_wait_; }
  SysResult ioctl(Task& t, unsigned long cmd, uint64_t arg) override;
  std::string fdinfo() const override;

 private:
  struct Event {
    int wd;
    uint32_t mask, cookie;
    std::string name;
    size_t size() const;
  };
  void destroy(InotifyWatch& w);

  boost::intrusive::set<InotifyWatch, boost::intrusive::constant_time_size<false>> watches_;
  std::deque<Event> events_;
  size_t bytes_ = 0;  // of all queued events, as read(2) gives them
  int next_wd_ = 1;
  WaitQueue queue_wait_;
};

// How many instances there are, for the limit of inotify_init(2).
int inotify_instances();
inline constexpr int INOTIFY_MAX_INSTANCES = 128;  // /proc/sys/fs/inotify/max_user_instances

}  // namespace starry
