// What a descriptor refers to, as -y, -yy and -P see it.
#pragma once

#include <string>

namespace starry {
class Task;
}

namespace starry::trace {

// The path of an open file, "pipe:[123]", ...; of the working directory for AT_FDCWD. Empty: not open.
std::string fd_path(Task& t, int fd);
// The same in strace's brackets: "</etc/passwd>", "</tmp/x>(deleted)". `details` (-yy): sockets with their
// addresses, devices with their numbers, pidfds with their process.
std::string fd_text(Task& t, int fd, bool details);

}  // namespace starry::trace
