#include "tracer/terminal_guard.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <cerrno>

namespace starry {
namespace {

constexpr char ENGAGE = 'e', RELEASE = 'r', QUIT = 'q';

// The guard: reads commands until the other end is gone.
[[noreturn]] void guard_loop(int commands, int terminal, const Termios& modes) {
  setsid();  // out of reach of the terminal's signals, and free to change it
  prctl(PR_SET_NAME, "starry-guard");
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  bool engaged = false;
  for (;;) {
    char command = 0;
    const ssize_t n = read(commands, &command, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    if (command == QUIT) _exit(0);
    engaged = command == ENGAGE;
  }
  if (engaged) ioctl(terminal, TCSETS2, &modes);
  _exit(0);
}

}  // namespace

TerminalGuard::TerminalGuard(int fd, const Termios& modes) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
  const int pid = fork();
  if (pid == 0) {
    // Nothing that others wait to see closed may stay open here.
    const int terminal = fcntl(fd, F_DUPFD_CLOEXEC, 3), commands = fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
    const int low = terminal < commands ? terminal : commands,
              high = terminal < commands ? commands : terminal;
    close_range(0, static_cast<unsigned>(low) - 1, 0);
    if (high > low + 1) close_range(static_cast<unsigned>(low) + 1, static_cast<unsigned>(high) - 1, 0);
    close_range(static_cast<unsigned>(high) + 1, ~0U, 0);
    guard_loop(commands, terminal, modes);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return;
  }
  pid_ = pid;
  pipe_ = ends[0];
}

TerminalGuard::~TerminalGuard() {
  if (pipe_ < 0) return;
  tell(QUIT);
  close(pipe_);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }  // ECHILD: somebody who waits for all children was faster
}

void TerminalGuard::tell(char command) const {
  if (pipe_ >= 0) (void)!send(pipe_, &command, 1, MSG_NOSIGNAL);
}
void TerminalGuard::engage() { tell(ENGAGE); }
void TerminalGuard::release() { tell(RELEASE); }

}  // namespace starry
