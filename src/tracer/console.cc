#include "tracer/console.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>

namespace starry {
namespace {

constexpr int MAX_INHERITED = 1024;  // the guest's RLIMIT_NOFILE

std::atomic<bool> host_terminal_is_raw{false};

bool usable(int fd) {
  struct stat st {};
  const int fd_flags = fcntl(fd, F_GETFD);
  if (fd_flags < 0 || (fd_flags & FD_CLOEXEC) != 0 || fstat(fd, &st) != 0) return false;
  return S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode);
}

std::vector<std::pair<int, int>> inherited_fds() {
  std::vector<std::pair<int, int>> fds;
  DIR* dir = opendir("/proc/self/fd");
  if (dir == nullptr) return {{0, 0}, {1, 1}, {2, 2}};
  while (const dirent* e = readdir(dir)) {
    const int fd = atoi(e->d_name);
    if (e->d_name[0] != '.' && fd != dirfd(dir) && fd < MAX_INHERITED && usable(fd)) fds.emplace_back(fd, fd);
  }
  closedir(dir);
  return fds;
}

// What we open must not land on numbers that mean something.
void fill_standard_fds() {
  int fd = 0;
  while (fd >= 0 && fd <= 2) fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (fd > 2) close(fd);
}

bool in_foreground(int fd) {
  pid_t group = 0;
  // Not our controlling terminal: no job control either.
  if (ioctl(fd, TIOCGPGRP, &group) != 0) return errno == ENOTTY;
  return group == getpgrp();
}

}  // namespace

Console::Console() : fds_(inherited_fds()) {
  fill_standard_fds();
  Termios modes;
  if (fds_.terminal() < 0 || ioctl(fds_.terminal(), TCGETS2, &modes) != 0) return;
  guard_ = std::make_unique<TerminalGuard>(fds_.terminal(), modes);
  job_control_fd_ = fcntl(fds_.terminal(), F_DUPFD_CLOEXEC, 3);
}

Console::~Console() {
  tty_.reset();
  if (job_control_fd_ >= 0) close(job_control_fd_);
}

std::vector<Ref<File>> Console::open_files(HostPoller& poller, uint32_t uid, const OpenDevice& device) {
  HostTerminal::Setup setup;
  setup.uid = uid;
  setup.in_foreground = [this] { return in_foreground(job_control_fd_); };
  setup.background_read = [] { kill(0, SIGTTIN); };  // as the host would do to the program itself
  setup.switched = [this](bool raw) {
    host_terminal_is_raw = raw;
    raw ? guard_->engage() : guard_->release();
  };
  GuestFiles opened = open_guest_files(fds_, poller, std::move(setup), device);
  tty_ = std::move(opened.tty);
  release_fds();
  return std::move(opened.files);
}

void Console::release_fds() {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (auto [number, fd] : fds_.all()) {
    if (fd > 2)
      close(fd);
    else if (fd < 2)
      dup2(null, fd);
  }
  if (null > 2) close(null);
}

void Console::finish() {
  if (tty_) tty_->finish();
}

void host_message(const std::string& text) {
  std::string line = "starryrun: " + text;
  // Names of the guest's choice must not talk to the user's terminal.
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  line += host_terminal_is_raw ? "\r\n" : "\n";
  (void)!write(2, line.data(), line.size());
}

}  // namespace starry
