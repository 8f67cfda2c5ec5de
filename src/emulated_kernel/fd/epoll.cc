#include "emulated_kernel/fd/epoll.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "emulated_kernel/mm/mm.h"

namespace starry {

namespace {

constexpr int MAX_NESTS = 4;              // EP_MAX_NESTS
constexpr uint64_t MAX_ITEMS = 1U << 21;  // /proc/sys/fs/epoll/max_user_watches
constexpr uint32_t ALWAYS = EPOLLERR | EPOLLHUP;
// What stays of a one-shot watch that has fired.
constexpr uint32_t PRIVATE_BITS = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
constexpr uint32_t EXCLUSIVE_OK =
    EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

uint64_t item_count = 0;
uint64_t visit_mark = 0;

}  // namespace

EpollItem::EpollItem(Epoll& e, File& f, int d, const epoll_event& ev)
    : ep(e), file(f), nested(dynamic_cast<Epoll*>(&f)), fd(d), event(ev) {
  exclusive = (ev.events & EPOLLEXCLUSIVE) != 0;
}

void EpollItem::file_released() { ep.destroy(*this); }

uint32_t EpollItem::poll(int depth) {
  const uint32_t events = nested != nullptr ? nested->poll_nested(depth + 1) : file.poll();
  return events & event.events;
}

bool EpollItem::on_wake(uint32_t events) {
  const bool armed = (event.events & ~PRIVATE_BITS) != 0;
  if (!armed || (events & event.events) == 0) return !exclusive;
  const bool woke = ep.make_ready(*this);
  if (!exclusive) return true;
  // EPOLLEXCLUSIVE: counts as "the one that was woken" only if somebody was, for what was asked for.
  const uint32_t direction = events == ~0U ? 0 : events & (EPOLLIN | EPOLLOUT);
  return woke && (direction == 0 || (direction != (EPOLLIN | EPOLLOUT) && (event.events & direction) != 0));
}

Epoll::~Epoll() {
  while (!items_.empty()) destroy(*items_.begin());
}

EpollItem* Epoll::find(const File& file, int fd) {
  const auto it = items_.find(ByFile::type(&file, fd));
  return it == items_.end() ? nullptr : &*it;
}

void Epoll::destroy(EpollItem& item) {
  --item_count;
  delete &item;  // its hooks leave every list
}

bool Epoll::make_ready(EpollItem& item) {
  if (!item.ready.is_linked()) ready_.push_back(item);
  const bool woke = waiters_.wake() != 0;
  if (!pollers_.empty()) pollers_.wake(EPOLLIN | EPOLLRDNORM);
  return woke;
}

void Epoll::recheck(EpollItem& item) {
  if (!item.ready.is_linked() && item.poll(0) != 0) make_ready(item);
}

// Both walks go over graphs without loops that are at most MAX_NESTS deep: add() keeps them so.
int Epoll::depth_below(const Epoll& target) {
  if (this == &target) return MAX_NESTS + 1;
  if (visited_ == visit_mark) return depth_;
  int deepest = 0;
  for (const EpollItem& item : items_)
    if (item.nested != nullptr) deepest = std::max(deepest, item.nested->depth_below(target) + 1);
  visited_ = visit_mark;
  return depth_ = deepest;
}

int Epoll::depth_above() {
  if (visited_ == visit_mark) return depth_;
  int highest = 0;
  for (const EpollFileHook& hook : attached.epoll_watches)
    highest = std::max(highest, static_cast<const EpollItem&>(hook).ep.depth_above() + 1);
  visited_ = visit_mark;
  return depth_ = highest;
}

Result<void> Epoll::add(File& file, int fd, epoll_event event) {
  if (auto* inner = dynamic_cast<Epoll*>(&file)) {
    ++visit_mark;
    const int below = inner->depth_below(*this);
    if (below > MAX_NESTS) return Error{ELOOP};
    ++visit_mark;
    if (below + 1 + depth_above() > MAX_NESTS) return Error{ELOOP};
  }
  if (find(file, fd) != nullptr) return Error{EEXIST};
  if (item_count >= MAX_ITEMS) return Error{ENOSPC};
  event.events |= ALWAYS;
  auto* item = new EpollItem(*this, file, fd, event);
  ++item_count;
  items_.insert(*item);
  file.attached.epoll_watches.push_back(*item);
  file.poll_queue()->add(*item);
  recheck(*item);
  return {};
}

Result<void> Epoll::modify(File& file, int fd, epoll_event event) {
  EpollItem* item = find(file, fd);
  if (item == nullptr) return Error{ENOENT};
  if (item->exclusive) return Error{EINVAL};
  event.events |= ALWAYS;
  item->event = event;
  recheck(*item);
  return {};
}

Result<void> Epoll::remove(File& file, int fd) {
  EpollItem* item = find(file, fd);
  if (item == nullptr) return Error{ENOENT};
  destroy(*item);
  return {};
}

Result<int> Epoll::wait(UserMemory& mem, UserPtr<epoll_event> out, int max, Deadline deadline) {
  const bool poll_only = deadline.ns == 0;
  bool timed_out = poll_only;
  for (;;) {
    if (!ready_.empty()) {
      const int n = TRY(collect(mem, out, max));
      if (n != 0) return n;
    }
    if (timed_out) return 0;
    switch (wait_until(
        waiters_, deadline, [this] { return !ready_.empty(); }, true)) {
      case Wake::event:
        break;
      case Wake::timeout:
        timed_out = true;
        break;
      case Wake::signal:
        return Error{EINTR};
    }
  }
}

Result<int> Epoll::collect(UserMemory& mem, UserPtr<epoll_event> out, int max) {
  constexpr int BATCH = 32;
  std::array<epoll_event, BATCH> events;
  std::array<EpollItem*, BATCH> items;
  ReadyList todo;  // as it is now: what becomes ready or stays level-triggered waits for the next call
  todo.swap(ready_);
  int done = 0;
  Result<void> stored;
  while (done < max && !todo.empty() && stored.ok()) {
    int n = 0;
    while (n < std::min(BATCH, max - done) && !todo.empty()) {
      EpollItem& item = todo.front();
      todo.pop_front();
      const uint32_t now = item.poll(0);
      if (now == 0) continue;
      events[static_cast<size_t>(n)] = {now, item.event.data};
      items[static_cast<size_t>(n++)] = &item;
    }
    const auto bytes = static_cast<size_t>(n) * sizeof(epoll_event);
    if (n != 0) stored = mem.write((out + done).addr, events.data(), bytes);
    if (!stored.ok()) {  // none of the batch counts as delivered
      while (n != 0) todo.push_front(*items[static_cast<size_t>(--n)]);
      break;
    }
    for (int i = 0; i < n; ++i) {
      EpollItem& item = *items[static_cast<size_t>(i)];
      if ((item.event.events & EPOLLONESHOT) != 0)
        item.event.events &= PRIVATE_BITS;
      else if ((item.event.events & EPOLLET) == 0 && !item.ready.is_linked())
        ready_.push_back(item);
    }
    done += n;
  }
  ready_.splice(ready_.begin(), todo);
  if (!ready_.empty()) waiters_.wake();
  if (done == 0 && !stored.ok()) return stored.error();
  return done;
}

uint32_t Epoll::poll_nested(int depth) {
  if (depth > MAX_NESTS) return 0;
  // Entries that turn out not to be ready leave the list, as when they are collected.
  while (!ready_.empty()) {
    if (ready_.front().poll(depth) != 0) return EPOLLIN | EPOLLRDNORM;
    ready_.pop_front();
  }
  return 0;
}

std::string Epoll::fdinfo() const {
  std::string text;
  for (const EpollItem& i : items_) {
    // Through the watched file only while it lives: watches end with their file.
    const Result<Kstat> st = i.file.stat();
    const Kstat k = st.ok() ? st.value() : Kstat{};
    text += fmt::format("tfd: {:8d} events: {:8x} data: {:16x}  pos:{} ino:{:x} sdev:{:x}\n", i.fd,
                        i.event.events, i.event.data.u64, i.file.pos, k.ino, k.dev);
  }
  return text;
}

Result<void> epoll_control(File& epoll, int op, File& target, int fd, const epoll_event& event) {
  if (target.poll_queue() == nullptr) return Error{EPERM};
  auto* ep = dynamic_cast<Epoll*>(&epoll);
  if (ep == nullptr || ep == &target) return Error{EINVAL};
  if (op != EPOLL_CTL_DEL && (event.events & EPOLLEXCLUSIVE) != 0) {
    if (op == EPOLL_CTL_MOD) return Error{EINVAL};
    const bool nested = dynamic_cast<Epoll*>(&target) != nullptr;
    if (op == EPOLL_CTL_ADD && (nested || (event.events & ~EXCLUSIVE_OK) != 0)) return Error{EINVAL};
  }
  switch (op) {
    case EPOLL_CTL_ADD:
      return ep->add(target, fd, event);
    case EPOLL_CTL_MOD:
      return ep->modify(target, fd, event);
    case EPOLL_CTL_DEL:
      return ep->remove(target, fd);
    default:
      return Error{EINVAL};
  }
}

const File* Epoll::watched(int fd, unsigned nth) const {
  for (const EpollItem& i : items_)
    if (i.fd == fd && nth-- == 0) return &i.file;
  return nullptr;
}

Result<const File*> epoll_target(File& epoll, int fd, unsigned nth) {
  const auto* ep = dynamic_cast<const Epoll*>(&epoll);
  if (ep == nullptr) return Error{EINVAL};
  const File* f = ep->watched(fd, nth);
  if (f == nullptr) return Error{ENOENT};
  return f;
}

}  // namespace starry
