// The host thread that runs everything of starryrun that waits on the host: terminals, pipes, published
// ports, the control socket, signals. Kernel objects are not touched here: completions go to the kernel
// thread with platform().post().
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

namespace starry {

class AsioThread {
 public:
  AsioThread();
  ~AsioThread();  // stops and joins
  AsioThread(const AsioThread&) = delete;
  AsioThread& operator=(const AsioThread&) = delete;

  boost::asio::io_context& context() { return context_; }
  // Ends the thread; handlers that have not run are dropped. Idempotent.
  void stop();

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  std::thread thread_;
};

}  // namespace starry
