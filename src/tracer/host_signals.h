// Signals that the host sends to starryrun, handed to the kernel thread.
#pragma once

#include <boost/asio/signal_set.hpp>
#include <functional>

#include "tracer/asio_thread.h"

namespace starry {

class HostSignals {
 public:
  // `on_signal` runs on the kernel thread. Signals that we were started with ignored (nohup) stay so.
  HostSignals(AsioThread& asio, std::function<void(int signo)> on_signal);

 private:
  void wait();
  boost::asio::signal_set set_;
  std::function<void(int)> on_signal_;
};

}  // namespace starry
