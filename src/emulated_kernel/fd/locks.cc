#include "emulated_kernel/fd/locks.h"

#include <sys/file.h>

#include <algorithm>

#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/sync/wait.h"

namespace starry {

namespace {

using LockRegistry = boost::intrusive::list<FileLocks, boost::intrusive::constant_time_size<false>>;

LockRegistry& registry() {
  static LockRegistry all;
  return all;
}

// A POSIX lock request that sleeps; the edges of the wait-for graph.
struct PosixWaiter
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  PosixWaiter(const FileLocks& l, const RecordLock& r) : locks(l), req(r) {}
  const FileLocks& locks;
  const RecordLock& req;
};

using WaiterList = boost::intrusive::list<PosixWaiter, boost::intrusive::constant_time_size<false>>;

WaiterList& posix_waiters() {
  static WaiterList waiters;
  return waiters;
}

bool overlap(const RecordLock& a, const RecordLock& b) { return a.start <= b.end && b.start <= a.end; }

// True if `b` begins right after `a` ends.
bool follows(const RecordLock& a, const RecordLock& b) { return a.end != INT64_MAX && a.end + 1 == b.start; }

}  // namespace

FileLocks::FileLocks(uint64_t dev, uint64_t ino) : dev_(dev), ino_(ino) { registry().push_back(*this); }

FileLocks& file_locks(File& f) {
  Ref<FileLocks>& slot = f.lock_slot();
  if (!slot) {
    const Result<Kstat> st = f.stat();
    slot = make_ref<FileLocks>(st.ok() ? st.value().dev : 0, st.ok() ? st.value().ino : 0);
  }
  return *slot;
}

const void* description_owner(const File& f) { return &f.attached; }

bool FileLocks::flock_conflict(const void* owner, int type) const {
  return std::any_of(flocks_.begin(), flocks_.end(), [&](const Flock& l) {
    return l.owner != owner && (type == LOCK_EX || l.type == LOCK_EX);
  });
}

Result<void> FileLocks::flock(File& file, int op, bool nonblock, int pid) {
  const void* owner = description_owner(file);
  const auto held =
      std::find_if(flocks_.begin(), flocks_.end(), [&](const Flock& l) { return l.owner == owner; });
  if (held != flocks_.end() && held->type == op) return {};
  // A conversion first gives up the old lock: it may be lost if the new one is not granted (flock(2)).
  drop_flock(owner);
  if (op == LOCK_UN) return {};

  const auto free = [&] { return !flock_conflict(owner, op); };
  if (!free()) {
    if (nonblock) return Error{EWOULDBLOCK};
    // "Exclusive" only for its place in the queue: waiters retry in order of arrival.
    TRY(wait_event(changed_, Deadline::never(), free, true));
    drop_flock(owner);  // another thread may have locked through the same description meanwhile
  }
  flocks_.push_back({owner, op, pid});
  file.attached.owned_locks = this;
  return {};
}

void FileLocks::drop_flock(const void* owner) {
  if (std::erase_if(flocks_, [&](const Flock& l) { return l.owner == owner; }) != 0) changed_.wake_all();
}

const RecordLock* FileLocks::find_conflict(const RecordLock& req) const {
  for (const RecordLock& l : records_)
    if (l.owner != req.owner && overlap(l, req) && (l.type == F_WRLCK || req.type == F_WRLCK)) return &l;
  return nullptr;
}

// Follows "is waiting for" from the owner of `blocker`, as far as Linux's MAX_DEADLK_ITERATIONS.
bool FileLocks::would_deadlock(const void* waiter, const RecordLock& blocker) {
  const RecordLock* next = &blocker;
  for (int i = 0; i < 10; ++i) {
    if (next->ofd()) return false;
    const auto w = std::find_if(posix_waiters().begin(), posix_waiters().end(),
                                [&](const PosixWaiter& p) { return p.req.owner == next->owner; });
    if (w == posix_waiters().end()) return false;
    next = w->locks.find_conflict(w->req);
    if (next == nullptr) return false;  // it is about to run
    if (next->owner == waiter) return true;
  }
  return false;
}

Result<void> FileLocks::set_record(const RecordLock& req, bool wait) {
  if (req.type != F_UNLCK && find_conflict(req) != nullptr) {
    if (!wait) return Error{EAGAIN};
    bool deadlock = false;
    const auto settled = [&] {
      const RecordLock* blocker = find_conflict(req);
      if (blocker != nullptr && !req.ofd()) deadlock = would_deadlock(req.owner, *blocker);
      return blocker == nullptr || deadlock;
    };
    if (!settled()) {
      PosixWaiter self(*this, req);
      if (!req.ofd()) posix_waiters().push_back(self);
      TRY(wait_event(changed_, Deadline::never(), settled, true));
    }
    if (deadlock) return Error{EDEADLK};
  }
  apply_record(req);
  return {};
}

// Lays `req` over what its owner has: neighbours of the same type join, others are cut.
void FileLocks::apply_record(RecordLock req) {
  bool released = false;
  std::vector<RecordLock> rest;
  for (auto it = records_.begin(); it != records_.end();) {
    const RecordLock l = *it;
    const bool joins = l.type == req.type && (follows(l, req) || follows(req, l));
    if (l.owner != req.owner || (!overlap(l, req) && !joins)) {
      ++it;
      continue;
    }
    it = records_.erase(it);
    if (l.type == req.type) {
      req.start = std::min(req.start, l.start);
      req.end = std::max(req.end, l.end);
      continue;
    }
    released = released || req.type != F_WRLCK;
    if (l.start < req.start) {
      rest.push_back(l);
      rest.back().end = req.start - 1;
    }
    if (l.end > req.end) {
      rest.push_back(l);
      rest.back().start = req.end + 1;
    }
  }
  if (req.type != F_UNLCK) rest.push_back(req);
  for (const RecordLock& l : rest) {
    const auto at = std::find_if(records_.begin(), records_.end(),
                                 [&](const RecordLock& o) { return o.start > l.start; });
    records_.insert(at, l);
  }
  if (released) changed_.wake_all();
}

void FileLocks::drop_records(const void* owner) {
  if (records_.remove_if([&](const RecordLock& l) { return l.owner == owner; }) != 0) changed_.wake_all();
}

void FileLocks::for_each(const std::function<void(const Row&)>& fn) {
  for (const FileLocks& i : registry()) {
    for (const Flock& l : i.flocks_)
      fn({"FLOCK", l.type == LOCK_EX ? F_WRLCK : F_RDLCK, l.pid, i.dev_, i.ino_, 0, INT64_MAX});
    for (const RecordLock& l : i.records_)
      fn({l.ofd() ? "OFDLCK" : "POSIX", l.type, l.pid, i.dev_, i.ino_, l.start, l.end});
  }
}

}  // namespace starry
