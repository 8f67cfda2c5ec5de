#include "emulated_kernel/fd/async_owner.h"

#include <signal.h>
#include <sys/epoll.h>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

// si_code and si_band of a readiness change (fs/fcntl.c: band_table).
void fill_band(SigInfo& info, uint32_t events) {
  if ((events & EPOLLHUP) != 0) {
    info.code = POLL_HUP;
    info.poll.band = EPOLLHUP | EPOLLERR;
  } else if ((events & EPOLLIN) != 0) {
    info.code = POLL_IN;
    info.poll.band = EPOLLIN | EPOLLRDNORM;
  } else if ((events & EPOLLOUT) != 0) {
    info.code = POLL_OUT;
    info.poll.band = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
  } else if ((events & EPOLLPRI) != 0) {
    info.code = POLL_PRI;
    info.poll.band = EPOLLPRI | EPOLLRDBAND;
  } else {
    info.code = POLL_ERR;
    info.poll.band = EPOLLERR;
  }
}

}  // namespace

bool AsyncOwner::on_wake(uint32_t events) {
  if (id == 0 || (events & wanted) == 0) return false;
  SigInfo info = siginfo_kernel(signo != 0 ? signo : SIGIO);
  if (signo != 0) {
    fill_band(info, events);
    info.poll.fd = fd;
  }
  // A full queue of real-time signals is the receiver's loss, as in Linux (send_sigio falls back to
  // SIGIO).
  const auto send = [&](auto& target) {
    if (!send_signal(target, info).ok()) (void)send_signal(target, siginfo_kernel(SIGIO));
  };
  switch (type) {
    case F_OWNER_TID:
      if (Task* t = find_task(id)) send(*t);
      break;
    case F_OWNER_PID:
      if (ThreadGroup* g = find_group(id)) send(*g);
      break;
    default:
      send_signal_pgrp(id, info);
  }
  return false;
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
