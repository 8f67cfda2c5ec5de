#include "emulated_kernel/ipc/mqueue.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <csignal>

#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/task.h"
#include "netstack/netlink.h"

namespace starry {

void MqInode::enqueue(Waiters& list, Waiter& w) {
  const auto after =
      std::find_if(list.begin(), list.end(), [&](const Waiter* o) { return o->rank < w.rank; });
  list.insert(after, &w);
}

MqInode::Waiter* MqInode::take_first(Waiters& list) {
  if (list.empty()) return nullptr;
  Waiter* w = list.front();
  list.pop_front();
  return w;
}

Result<void> MqInode::wait_for_turn(Waiters& list, Waiter& w, Deadline deadline) {
  enqueue(list, w);
  const Wake how = wait_until(w.queue, deadline, [&] { return w.done; });
  if (w.done) return {};
  list.remove(&w);
  return Error{how == Wake::timeout ? ETIMEDOUT : ERESTARTSYS};
}

void MqInode::insert(MqMessage m) {
  bytes_queued_ += static_cast<int64_t>(m.data.size());
  ++count_;
  messages_[m.priority].push_back(std::move(m));
}

Result<void> MqInode::send(Task& t, MqMessage m, Deadline deadline, bool nonblock) {
  const Ref<MqInode> keep(this);
  if (count_ == limits.maxmsg) {
    if (nonblock) return Error{EAGAIN};
    // Who takes a message out puts this one in.
    Waiter w{.rank = t.se.rt_rank(), .message = std::move(m), .queue = {}};
    return wait_for_turn(senders_, w, deadline);
  }
  attr.atime = attr.mtime = attr.ctime = now();
  if (Waiter* r = take_first(receivers_)) {
    r->message = std::move(m);
    r->done = true;
    r->queue.wake();
    return {};
  }
  insert(std::move(m));
  pollers.wake_all(EPOLLIN | EPOLLRDNORM);
  tell_owner(t);
  return {};
}

Result<MqMessage> MqInode::receive(Task& t, Deadline deadline, bool nonblock) {
  const Ref<MqInode> keep(this);
  if (count_ == 0) {
    if (nonblock) return Error{EAGAIN};
    Waiter w{.rank = t.se.rt_rank(), .message = {}, .queue = {}};
    TRY(wait_for_turn(receivers_, w, deadline));
    return std::move(w.message);
  }
  auto first = messages_.begin();
  MqMessage m = std::move(first->second.front());
  first->second.pop_front();
  if (first->second.empty()) messages_.erase(first);
  --count_;
  bytes_queued_ -= static_cast<int64_t>(m.data.size());
  attr.atime = attr.mtime = attr.ctime = now();
  if (Waiter* s = take_first(senders_)) {
    insert(std::move(s->message));
    s->done = true;
    s->queue.wake();
  } else {
    pollers.wake_all(EPOLLOUT | EPOLLWRNORM);
  }
  return m;
}

// A message came into the empty queue and nobody was waiting for it. Once per registration.
void MqInode::tell_owner(Task& sender) {
  if (!notification_ || count_ != 1) return;
  const Notification n = std::move(*notification_);
  notification_.reset();
  if (n.event.notify == SIGEV_SIGNAL && n.event.signo != 0) {
    SigInfo info;
    info.signo = n.event.signo;
    info.code = SI_MESGQ;
    info.rt.pid = sender.tgid();
    info.rt.uid = sender.cred->uid;
    info.rt.value = n.event.value;
    (void)send_signal(*n.owner, info);  // a full queue of signals loses it
  } else if (n.event.notify == SIGEV_THREAD) {
    std::vector<uint8_t> cookie(n.cookie.begin(), n.cookie.end());
    cookie.back() = 1;  // NOTIFY_WOKENUP
    n.socket->deliver(std::move(cookie));
  }
}

Result<void> MqInode::notify(Task& t, const GuestSigevent* event, Ref<NetlinkSocket> socket,
                             const std::array<uint8_t, 32>& cookie) {
  if (event == nullptr) {
    forget_notification(t);
    return {};
  }
  if (notification_) return Error{EBUSY};
  notification_ = Notification{t.group, *event, t.cred->uid, std::move(socket), cookie};
  attr.atime = attr.ctime = now();
  return {};
}

void MqInode::forget_notification(const Task& t) {
  if (!notification_ || notification_->owner != t.group) return;
  const Notification n = std::move(*notification_);
  notification_.reset();
  if (n.event.notify != SIGEV_THREAD) return;
  std::vector<uint8_t> cookie(n.cookie.begin(), n.cookie.end());
  cookie.back() = 2;  // NOTIFY_REMOVED
  n.socket->deliver(std::move(cookie));
}

std::string MqInode::status() const {
  const bool by_signal = notification_ && notification_->event.notify == SIGEV_SIGNAL;
  return fmt::format("QSIZE:{:<10} NOTIFY:{:<5} SIGNO:{:<5} NOTIFY_PID:{:<6}\n", bytes_queued_,
                     notification_ ? notification_->event.notify : 0,
                     by_signal ? notification_->event.signo : 0,
                     notification_ ? notification_->owner->tgid : 0);
}

uint32_t MqInode::poll() const {
  uint32_t events = 0;
  if (count_ != 0) events |= EPOLLIN | EPOLLRDNORM;
  if (count_ < limits.maxmsg) events |= EPOLLOUT | EPOLLWRNORM;
  return events;
}

}  // namespace starry
