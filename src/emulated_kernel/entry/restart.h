// Restart of interrupted system calls (signal(7), "Interruption of system calls").
#pragma once

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/signal/task_signals.h"

namespace starry {

class Task;

inline bool is_restart_code(int code) { return code >= ERESTARTSYS && code <= ERESTART_RESTARTBLOCK; }

// Decides what becomes of a call that ended with restart code `restart` (0: nothing to do): EINTR in
// rax, or the registers set back to the system call instruction. `handler` is the action of the signal
// whose handler is about to run, nullptr if none runs.
void resolve_restart(Task& t, int restart, const KSigAction* handler);

}  // namespace starry
