// Process groups and sessions (credentials(7), setpgid(2), setsid(2)): rules at the end of processes.
#pragma once

namespace starry {

class ThreadGroup;

// A process of `g`'s group loses its link to the session through `parent`: if that orphans a group with
// stopped members, they get SIGHUP and SIGCONT (_exit(2)). `ignored` does not count as a member.
void hangup_if_orphaned(ThreadGroup& g, const ThreadGroup& parent, const ThreadGroup* ignored);
}  // namespace starry
