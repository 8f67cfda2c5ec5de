// --publish: ports of the host that lead to servers in the guest. The host's sockets are ours alone and
// non-blocking; the Asio thread waits for them (HostPoller), the kernel thread moves the bytes between
// them and the guests' network (netstack/publish.h).
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "tracer/host_poller.h"
#include "tracer/options.h"
#include "tracer/owned_fd.h"

namespace starry {

class Publisher {
 public:
  // Binds all ports. StartError: taken, not permitted, no such address.
  explicit Publisher(const std::vector<Options::Publish>& ports);
  ~Publisher();
  // From now on the outside is let in. Kernel thread, after netstack_init().
  void start(HostPoller& poller);

 private:
  class TcpBridge;
  class UdpPort;
  struct Port {
    OwnedFd socket;
    uint16_t guest_port;
    bool udp;
    uint64_t watch = 0;
  };
  void bind_port(const Options::Publish& spec, const std::string& address, bool optional);
  void accept(Port& port);
  void remove(TcpBridge* bridge);

  HostPoller* poller_ = nullptr;
  std::vector<std::unique_ptr<Port>> ports_;
  std::list<std::unique_ptr<TcpBridge>> bridges_;
  std::vector<std::unique_ptr<UdpPort>> udp_;
};

}  // namespace starry
