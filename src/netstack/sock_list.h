// The TCP endpoints as /proc/net/tcp and sock_diag(7) list them.
#pragma once

#include <vector>

#include "netstack/tcp_link.h"

namespace starry {

struct TcpEntry {
  Endpoint local, remote;
  TcpState state;
  size_t tx = 0, rx = 0;  // listeners: rx is the length of the accept queue
  uint32_t uid = 0;
  uint64_t ino = 0;            // 0: nobody has it open
  uint64_t timer_left_ns = 0;  // TIME_WAIT
  int backlog = 0;             // listeners
  bool v6only = false;
};
std::vector<TcpEntry> list_tcp(const NetNamespace& net, int family);

}  // namespace starry
