// memfd_secret(2): memory that only those who have mapped it can see. It cannot be read through its
// descriptor, nor by process_vm_readv(2), ptrace(2) or /proc/PID/mem, and it counts as locked.
#pragma once

#include "emulated_kernel/fd/file.h"

namespace starry {

class Mm;
class Task;

Result<Ref<File>> make_secret_memory(Task& t);
// Whether any of [addr, addr + n) is such memory: what others, and whoever goes through the kernel's own view
// of a process, may not touch.
bool holds_secrets(const Mm& mm, uint64_t addr, uint64_t n);

}  // namespace starry
