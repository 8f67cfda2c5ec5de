// RLIMIT_CPU and RLIMIT_RTTIME (getrlimit(2)): SIGXCPU when a process has used its soft limit of CPU time, or
// one of its real-time threads that without sleeping, and once per second from then on; SIGKILL at the hard limit.
#pragma once

namespace starry {

class ThreadGroup;

// Watches `g` from now on if it has such a limit. After the limit changed, and for the child of a fork.
void watch_cpu_limits(ThreadGroup& g);

}  // namespace starry
