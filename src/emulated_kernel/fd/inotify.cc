#include "emulated_kernel/fd/inotify.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include <array>
#include <cstring>

#include "emulated_kernel/sync/wait.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

// /proc/sys/fs/inotify/
constexpr size_t MAX_QUEUED = 16384;
constexpr size_t MAX_WATCHES = 65536;

size_t watch_count = 0;
int instance_count = 0;

}  // namespace

bool inotify_active() { return watch_count + dir_mark_count() != 0; }

int inotify_instances() { return instance_count; }

uint32_t inotify_cookie() {
  static uint32_t last = 0;
  return ++last;
}

// --- Watches of an inode ---

void InodeWatches::notify(uint32_t event, std::string_view name, uint32_t cookie, bool unlinked) {
  for (auto it = watches_.begin(); it != watches_.end();) {
    InotifyWatch& w = *it++;  // a one-shot watch leaves the list
    if ((w.mask & event & IN_ALL_EVENTS) == 0) continue;
    if (unlinked && (w.mask & IN_EXCL_UNLINK) != 0) continue;
    w.instance.queue(w.wd, event, cookie, name);
    if ((w.mask & IN_ONESHOT) != 0) w.instance.drop(w);
  }
  tell_marks(dnotify_bits(event));
}

void InodeWatches::tell_marks(uint32_t bits) {
  for (auto it = marks_.begin(); it != marks_.end();) {
    DirMark& m = *it++;  // it may end
    if ((m.mask & bits) != 0) dnotify_send(m);
  }
}

void InodeWatches::deleted() {
  const Ref<InodeWatches> keep(this);
  notify(IN_DELETE_SELF, {}, 0);
  while (!watches_.empty()) watches_.front().instance.drop(watches_.front());
}

InotifyWatch* InodeWatches::find(const Inotify& instance) {
  for (InotifyWatch& w : watches_)
    if (&w.instance == &instance) return &w;
  return nullptr;
}

// --- Instances ---

Inotify::Inotify(int flags) : AnonFile("inotify", O_RDONLY | (flags & IN_NONBLOCK)) { ++instance_count; }

Inotify::~Inotify() {
  while (!watches_.empty()) destroy(*watches_.begin());
  --instance_count;
}

void Inotify::destroy(InotifyWatch& w) {
  --watch_count;
  delete &w;  // its hooks leave both lists
}

void Inotify::drop(InotifyWatch& w) {
  queue(w.wd, IN_IGNORED, 0, {});
  destroy(w);
}

Result<int> Inotify::watch(Ref<RefCounted>& slot, Ref<RefCounted> inode, const Kstat& st, uint32_t mask) {
  if (!slot) slot = make_ref<InodeWatches>();
  const Ref<InodeWatches> watches(static_cast<InodeWatches*>(slot.get()));
  const uint32_t wanted = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
  if (InotifyWatch* w = watches->find(*this)) {
    if ((mask & IN_MASK_CREATE) != 0) return Error{EEXIST};
    w->mask = (mask & IN_MASK_ADD) != 0 ? w->mask | wanted : wanted;
    return w->wd;
  }
  if (watch_count >= MAX_WATCHES) return Error{ENOSPC};
  auto* w = new InotifyWatch(*this, next_wd_, wanted, watches, std::move(inode), st);
  next_wd_ = next_wd_ == INT32_MAX ? 1 : next_wd_ + 1;  // numbers are not reused soon (inotify(7))
  ++watch_count;
  watches_.insert(*w);
  watches->watches_.push_back(*w);
  return w->wd;
}

Result<void> Inotify::remove(int wd) {
  for (InotifyWatch& w : watches_) {
    if (w.wd != wd) continue;
    drop(w);
    return {};
  }
  return Error{EINVAL};
}

// The name is padded with NULs so that the next event is aligned.
size_t Inotify::Event::size() const {
  constexpr size_t UNIT = sizeof(inotify_event);
  return UNIT + (name.empty() ? 0 : (name.size() + UNIT) / UNIT * UNIT);
}

void Inotify::queue(int wd, uint32_t mask, uint32_t cookie, std::string_view name) {
  if (!events_.empty()) {
    const Event& last = events_.back();
    if (last.mask == mask && last.wd == wd && last.name == name && (mask & IN_IGNORED) == 0) return;
    if (last.mask == IN_Q_OVERFLOW) return;
  }
  if (events_.size() >= MAX_QUEUED)
    events_.push_back({-1, IN_Q_OVERFLOW, 0, {}});
  else
    events_.push_back({wd, mask, cookie, std::string(name)});
  bytes_ += events_.back().size();
  queue_wait_.wake(EPOLLIN | EPOLLRDNORM);
}

Result<size_t> Inotify::read(IoVec& to, int64_t* /*pos*/, int flags) {
  if (events_.empty()) {
    if (nonblocking() || (flags & RWF_NOWAIT) != 0) return Error{EAGAIN};
    TRY(wait_event(
        queue_wait_, Deadline::never(), [this] { return !events_.empty(); }, true));
  }
  size_t done = 0;
  while (!events_.empty()) {
    const Event& e = events_.front();
    const size_t size = e.size();
    if (to.remaining() < size) break;
    std::array<char, sizeof(inotify_event) + 272> buf{};  // NAME_MAX and its padding
    const inotify_event head = {e.wd, e.mask, e.cookie, static_cast<uint32_t>(size - sizeof(inotify_event))};
    std::memcpy(buf.data(), &head, sizeof head);
    std::memcpy(buf.data() + sizeof head, e.name.data(), e.name.size());
    const Result<size_t> copied = to.copy_out(buf.data(), size);
    if (!copied.ok() || copied.value() != size) return done != 0 ? Result<size_t>(done) : Error{EFAULT};
    done += size;
    bytes_ -= size;
    events_.pop_front();
  }
  return done != 0 ? Result<size_t>(done) : Error{EINVAL};  // no room for a single event
}

uint32_t Inotify::poll() {
  if (events_.empty()) return 0;
  return EPOLLIN | EPOLLRDNORM;
}

SysResult Inotify::ioctl(Task& t, unsigned long cmd, uint64_t arg) {
  if (cmd != FIONREAD) return Error{ENOTTY};
  TRY(t.mem().put(UserPtr<int>{arg}, static_cast<int>(bytes_)));
  return 0;
}

std::string Inotify::fdinfo() const {
  std::string text;
  for (const InotifyWatch& w : watches_)
    text += fmt::format("inotify wd:{:x} ino:{:x} sdev:{:x} mask:{:x} ignored_mask:0 \n", w.wd, w.ino, w.dev,
                        w.mask);
  return text;
}

}  // namespace starry
