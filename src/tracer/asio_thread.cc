#include "tracer/asio_thread.h"

#include <sys/prctl.h>

namespace starry {

AsioThread::AsioThread() {
  thread_ = std::thread([this] {
    prctl(PR_SET_NAME, "starry-asio");
    context_.run();
  });
}

AsioThread::~AsioThread() { stop(); }

void AsioThread::stop() {
  work_.reset();
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace starry
