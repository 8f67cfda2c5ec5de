// Core dumps (core(5)): what a process was when a signal killed it, as an ELF file "core" in its working
// directory.
#pragma once

#include "emulated_kernel/signal/task_signals.h"

namespace starry {

class Task;

// Writes the file if RLIMIT_CORE (at least a page) and the dumpable flag (PR_SET_DUMPABLE) allow it. What is
// beyond the limit is left out. True if there is a file now: then the wait status has the core flag. Threads
// that were running at the moment appear where they entered the kernel last. May suspend the fiber.
bool core_dump(Task& t, const SigInfo& info);

}  // namespace starry
