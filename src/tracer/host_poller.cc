#include "tracer/host_poller.h"

#include <sys/epoll.h>

#include "emulated_kernel/platform.h"
#include "tracer/start_error.h"

namespace starry {
namespace {

constexpr uint32_t ERRORS = EPOLLERR | EPOLLHUP;

}  // namespace

HostPoller::HostPoller(AsioThread& asio) : epoll_(epoll_create1(EPOLL_CLOEXEC)), waiter_(asio.context()) {
  if (epoll_ < 0) start_error("cannot create an epoll descriptor");
  waiter_.assign(epoll_);  // owns it from now on
  wait();
}

// The Asio thread has been stopped by now.
HostPoller::~HostPoller() { table_->watches.clear(); }

uint64_t HostPoller::add(int fd, Callback callback) {
  const uint64_t id = last_id_ + 1;
  epoll_event e{.events = EPOLLONESHOT, .data = {.u64 = id}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &e) != 0) return 0;
  table_->watches.emplace(id, Watch{fd, 0, std::move(callback)});
  return last_id_ = id;
}

void HostPoller::arm(uint64_t id, uint32_t events) {
  auto it = table_->watches.find(id);
  if (it == table_->watches.end()) return;
  Watch& w = it->second;
  if ((w.armed & events) == events) return;
  w.armed |= events;
  epoll_event e{.events = w.armed | EPOLLONESHOT, .data = {.u64 = id}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, w.fd, &e);
}

void HostPoller::remove(uint64_t id) {
  auto it = table_->watches.find(id);
  if (it == table_->watches.end()) return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, it->second.fd, nullptr);
  table_->watches.erase(it);
}

// Asio thread.
void HostPoller::wait() {
  waiter_.async_wait(
      boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& ec) {
        if (ec) return;
        epoll_event events[16];
        const int n = epoll_wait(epoll_, events, std::size(events), 0);
        for (int i = 0; i < n; ++i)
          platform().post(
              [table = table_, id = events[i].data.u64, bits = events[i].events] { fire(table, id, bits); });
        wait();
      });
}

void HostPoller::fire(const std::shared_ptr<Table>& table, uint64_t id, uint32_t events) {
  auto it = table->watches.find(id);
  if (it == table->watches.end()) return;
  it->second.armed = 0;
  const Callback callback = it->second.callback;  // it may remove itself
  callback((events & ERRORS) != 0 ? events | EPOLLIN | EPOLLOUT : events);
}

}  // namespace starry
