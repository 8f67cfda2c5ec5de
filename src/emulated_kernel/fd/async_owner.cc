#include "emulated_kernel/fd/async_owner.h"

#include <signal.h>
#include <sys/epoll.h>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/task.h"

namespace starry {

// si_code and si_band by what became true (fs/fcntl.c: band_table).
bool AsyncOwner::on_wake(uint32_t events) {
  if ((events & wanted) == 0) return false;
  if ((events & EPOLLHUP) != 0)
    send(POLL_HUP, EPOLLHUP | EPOLLERR);
  else if ((events & EPOLLIN) != 0)
    send(POLL_IN, EPOLLIN | EPOLLRDNORM);
  else if ((events & EPOLLOUT) != 0)
    send(POLL_OUT, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
  else if ((events & EPOLLPRI) != 0)
    send(POLL_PRI, EPOLLPRI | EPOLLRDBAND);
  else
    send(POLL_ERR, EPOLLERR);
  return false;
}

void AsyncOwner::send(int code, long band) const {
  if (id == 0) return;
  SigInfo info = siginfo_kernel(signo != 0 ? signo : SIGIO);
  if (signo != 0) {
    info.code = code;
    info.poll.band = band;
    info.poll.fd = fd;
  }
  // When the queue of real-time signals is full the receiver gets a plain SIGIO instead (send_sigio).
  const auto send_to = [&](auto& target) {
    if (!send_signal(target, info).ok()) (void)send_signal(target, siginfo_kernel(SIGIO));
  };
  switch (type) {
    case F_OWNER_TID:
      if (Task* t = find_task(id)) send_to(*t);
      break;
    case F_OWNER_PID:
      if (ThreadGroup* g = find_group(id)) send_to(*g);
      break;
    default:
      send_signal_pgrp(id, info);
  }
}

AsyncOwner& async_owner(File& f) {
  if (!f.attached.owner) f.attached.owner = std::make_unique<AsyncOwner>();
  return *f.attached.owner;
}

Result<void> set_async(File& f, int fd, bool on) {
  WaitQueue* queue = f.poll_queue();
  if (queue == nullptr || dynamic_cast<AnonFile*>(&f) != nullptr) return Error{ENOTTY};
  AsyncOwner& owner = async_owner(f);
  WaitQueue::remove(owner);
  if (on) {
    owner.fd = fd;
    owner.wanted = EPOLLERR | EPOLLHUP | EPOLLPRI;
    if (f.readable()) owner.wanted |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
    if (f.writable()) owner.wanted |= EPOLLOUT | EPOLLWRNORM;
    queue->add(owner);
  }
  return {};
}

}  // namespace starry
