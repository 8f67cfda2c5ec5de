// What starryctl can ask of a running instance, served on the kernel thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "emulated_kernel/task/cred.h"
#include "tracer/control.h"
#include "tracer/guest_tree.h"
#include "tracer/host_poller.h"
#include "tracer/options.h"
#include "tracer/trace_control.h"

namespace starry {

// What sessions know of the instance; outlives them.
struct ControlHost {
  const Options& options;
  HostPoller& poller;
  const GuestTree& tree;
  TraceControl& trace;
  std::vector<std::string> environment;  // of the first process
  Ref<const Cred> cred;                  // of the first process
  pid_t first_pid = 0;                   // 0: none yet, or gone
};

Ref<const Cred> make_cred(uint32_t uid, uint32_t gid);
// Sends to every process.
void signal_everybody(int signo);

std::shared_ptr<ControlSession> make_control_session(const ControlHost& host, const control::Frame& first,
                                                     std::shared_ptr<ControlPeer> peer);

// control_exec.cc, control_copy.cc: sessions that last.
std::shared_ptr<ControlSession> make_exec_session(const ControlHost& host, std::shared_ptr<ControlPeer> peer);
std::shared_ptr<ControlSession> make_get_session(const ControlHost& host, std::shared_ptr<ControlPeer> peer);
std::shared_ptr<ControlSession> make_put_session(const ControlHost& host, std::shared_ptr<ControlPeer> peer);

}  // namespace starry
