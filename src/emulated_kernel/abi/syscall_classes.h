// The classes of system calls by name: %network and the like of strace's -e trace=.
#pragma once

#include <cstdint>
#include <string_view>

namespace starry {

// The SyscallClass bits of "%network", "network" (the classes that strace always had), "%%stat"; 0 if there is
// no such class. Upper or lower case, as in strace.
uint32_t syscall_class_by_name(std::string_view name);

}  // namespace starry
