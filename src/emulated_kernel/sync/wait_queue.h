// Wait queues in the form of Linux's (include/linux/wait.h): a list of entries, each with a wake
// function. A sleeping task is one kind of entry, an epoll watch is another.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

namespace starry {

class WaitQueue;

class WaitEntry
    : public boost::intrusive::list_base_hook<
          boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual ~WaitEntry() = default;
  // Called by WaitQueue::wake with the events that became true (EPOLL* bits, ~0u if unspecific).
  // Returns true if this entry accepted the wake-up (counts against an exclusive wake's number).
  // It may unlink itself; it must not destroy other entries of the queue.
  virtual bool on_wake(uint32_t events) = 0;
  bool exclusive = false;
};

class WaitQueue {
 public:
  WaitQueue() = default;
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;
  ~WaitQueue() { entries_.clear(); }

  // Non-exclusive entries go to the front (they are all woken), exclusive ones to the back: FIFO.
  void add(WaitEntry& e) {
    if (e.exclusive)
      entries_.push_back(e);
    else
      entries_.push_front(e);
  }
  static void remove(WaitEntry& e) {
    if (e.is_linked()) e.unlink();
  }
  bool empty() const { return entries_.empty(); }

  // Wakes every non-exclusive entry and up to `nr_exclusive` exclusive ones (0 = all). `events`
  // tells pollers what became true. Returns how many entries accepted.
  int wake(uint32_t events = ~0u, int nr_exclusive = 1);
  int wake_all(uint32_t events = ~0u) { return wake(events, 0); }

 private:
  boost::intrusive::list<WaitEntry, boost::intrusive::constant_time_size<false>> entries_;
};

}  // namespace starry
