// Signal-driven I/O: F_SETOWN, F_SETSIG and O_ASYNC of an open file description (fcntl(2)).
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/sync/wait_queue.h"

namespace starry {

class File;

// Listens on the file's poll queue while O_ASYNC is set and turns readiness into SIGIO.
class AsyncOwner final : public WaitEntry {
 public:
  int type = F_OWNER_PID;  // F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP
  pid_t id = 0;            // 0: nobody
  int signo = 0;           // F_SETSIG; 0: SIGIO without details
  int fd = -1;             // si_fd: the descriptor that O_ASYNC was set through
  uint32_t wanted = 0;     // events that concern this side of a pipe

  bool on_wake(uint32_t events) override;
  // Sends the signal; with F_SETSIG it carries si_code and si_band.
  void send(int code, long band) const;
};

// The owner record of `f`, made on first use.
AsyncOwner& async_owner(File& f);
// Starts or stops listening. ENOTTY for files without signals: regular files, eventfd, epoll, ...
Result<void> set_async(File& f, int fd, bool on);

}  // namespace starry
