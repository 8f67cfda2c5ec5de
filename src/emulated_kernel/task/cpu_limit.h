// RLIMIT_CPU (getrlimit(2)): SIGXCPU when a process has used its soft limit of CPU time and once per
// second from then on, SIGKILL at the hard limit.
#pragma once

namespace starry {

class ThreadGroup;

// Watches `g` from now on if it has a limit. After the limit changed, and for the child of a fork.
void watch_cpu_limit(ThreadGroup& g);

}  // namespace starry
