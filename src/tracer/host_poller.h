// Readiness of host descriptors for the kernel thread. One epoll descriptor holds all of them and Boost.
// Asio waits for that one, so that the watched descriptors, which other programs of the host may share,
// keep their file status flags (Asio would set O_NONBLOCK on them).
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "tracer/asio_thread.h"

namespace starry {

class HostPoller {
 public:
  explicit HostPoller(AsioThread& asio);
  ~HostPoller();

  // All of these on the kernel thread. Callbacks run there as well.
  using Callback = std::function<void(uint32_t events)>;
  // Watches nothing until armed. 0: this kind of descriptor is always ready.
  uint64_t add(int fd, Callback callback);
  // Calls back once when one of `events` (EPOLLIN, EPOLLOUT) or an error comes.
  void arm(uint64_t id, uint32_t events);
  void remove(uint64_t id);

 private:
  struct Watch {
    int fd;
    uint32_t armed;
    Callback callback;
  };
  // What a callback posted to the kernel thread may still need after we are gone.
  struct Table {
    std::map<uint64_t, Watch> watches;
  };
  void wait();
  static void fire(const std::shared_ptr<Table>& table, uint64_t id, uint32_t events);

  int epoll_;
  boost::asio::posix::stream_descriptor waiter_;
  std::shared_ptr<Table> table_ = std::make_shared<Table>();
  uint64_t last_id_ = 0;
};

}  // namespace starry
