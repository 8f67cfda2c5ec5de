// epoll(7). Shaped as Linux's fs/eventpoll.c: a watch per (open file, descriptor), a ready list that
// wake-ups append to, and a check of the real readiness when events are collected. Level-triggered
// watches go back to the end of the ready list, so that a small maxevents serves all of them in turn.
#pragma once

#include <fcntl.h>
#include <sys/epoll.h>

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/sync/wait.h"

namespace starry {

class Epoll;

// One watch (struct epitem).
class EpollItem final : public WaitEntry, public EpollFileHook {
 public:
  EpollItem(Epoll& ep, File& file, int fd, const epoll_event& event);
  bool on_wake(uint32_t events) override;
  void file_released() override;

  // The watched events that hold now. `depth`: nesting of epolls above this one.
  uint32_t poll(int depth);

  Epoll& ep;
  File& file;
  Epoll* const nested;  // `file` as an epoll, or null
  const int fd;
  epoll_event event;
  boost::intrusive::set_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> by_file;
  boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> ready;
};

class Epoll final : public AnonFile {
 public:
  Epoll() : AnonFile("[eventpoll]", O_RDWR) {}
  ~Epoll() override;

  // epoll_ctl(2) after its checks of `op` and of the two descriptors.
  Result<void> add(File& file, int fd, epoll_event event);
  Result<void> modify(File& file, int fd, epoll_event event);
  Result<void> remove(File& file, int fd);

  // The `nth` watched file of those with descriptor number `fd`; nullptr: there is none (kcmp(2)).
  const File* watched(int fd, unsigned nth) const;

  // epoll_wait(2): events for the guest's array at `out`. 0 at the deadline; EINTR, EFAULT.
  Result<int> wait(UserMemory& mem, UserPtr<epoll_event> out, int max, Deadline deadline);

  bool can_read() const override { return false; }
  bool can_write() const override { return false; }
  uint32_t poll() override { return poll_nested(0); }
  WaitQueue* poll_queue() override { return &pollers_; }
  std::string fdinfo() const override;

 private:
  friend class EpollItem;
  struct ByFile {
    using type = std::pair<const File*, int>;
    type operator()(const EpollItem& i) const { return {&i.file, i.fd}; }
  };
  using Items = boost::intrusive::set<
      EpollItem, boost::intrusive::member_hook<EpollItem, decltype(EpollItem::by_file), &EpollItem::by_file>,
      boost::intrusive::key_of_value<ByFile>, boost::intrusive::constant_time_size<false>>;
  using ReadyList = boost::intrusive::list<
      EpollItem, boost::intrusive::member_hook<EpollItem, decltype(EpollItem::ready), &EpollItem::ready>,
      boost::intrusive::constant_time_size<false>>;

  EpollItem* find(const File& file, int fd);
  void destroy(EpollItem& item);
  bool make_ready(EpollItem& item);  // if it is not yet; true if a sleeping epoll_wait was woken
  void recheck(EpollItem& item);     // make_ready if its events hold now
  Result<int> collect(UserMemory& mem, UserPtr<epoll_event> out, int max);
  uint32_t poll_nested(int depth);
  // Loop protection (ELOOP): levels of epolls below, MAX_NESTS + 1 if `target` is among them; above.
  int depth_below(const Epoll& target);
  int depth_above();

  Items items_;
  ReadyList ready_;
  WaitQueue waiters_;     // epoll_wait
  WaitQueue pollers_;     // poll, select and outer epolls
  uint64_t visited_ = 0;  // walk that computed depth_ last
  int depth_ = 0;
};

// Watches on files without readiness are refused with EPERM (epoll_ctl(2)): regular files, directories.
Result<void> epoll_control(File& epoll, int op, File& target, int fd, const epoll_event& event);
// Epoll::watched() of a descriptor. EINVAL: not an epoll; ENOENT.
Result<const File*> epoll_target(File& epoll, int fd, unsigned nth);

}  // namespace starry
