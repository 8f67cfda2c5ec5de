#include "tracer/host_signals.h"

#include <csignal>

#include "emulated_kernel/platform.h"

namespace starry {

HostSignals::HostSignals(AsioThread& asio, std::function<void(int)> on_signal)
    : set_(asio.context()), on_signal_(std::move(on_signal)) {
  std::signal(SIGPIPE, SIG_IGN);
  for (int signo : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH}) {
    struct sigaction old {};
    sigaction(signo, nullptr, &old);
    if (old.sa_handler != SIG_IGN) set_.add(signo);
  }
  wait();
}

void HostSignals::wait() {
  set_.async_wait([this](const boost::system::error_code& ec, int signo) {
    if (ec) return;
    platform().post([fn = on_signal_, signo] { fn(signo); });
    wait();
  });
}

}  // namespace starry
