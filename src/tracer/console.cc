#include "tracer/console.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "tracer/host_streams.h"
#include "tracer/start_error.h"

namespace starry {
namespace {

constexpr int MAX_INHERITED = 1024;  // the guest's RLIMIT_NOFILE

std::atomic<bool> host_terminal_is_raw{false};

bool is_terminal(int fd) {
  Termios t;
  return ioctl(fd, TCGETS2, &t) == 0;
}

bool usable(int fd) {
  struct stat st {};
  const int fd_flags = fcntl(fd, F_GETFD);
  if (fd_flags < 0 || (fd_flags & FD_CLOEXEC) != 0 || fstat(fd, &st) != 0) return false;
  return S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode);
}

// Where the guest has the same device itself, it gets its own: programs compare device and inode.
const char* guest_device(int fd) {
  struct stat st {};
  if (fstat(fd, &st) != 0 || !S_ISCHR(st.st_mode)) return nullptr;
  if (st.st_rdev == makedev(1, 3)) return "/dev/null";
  if (st.st_rdev == makedev(1, 5)) return "/dev/zero";
  if (st.st_rdev == makedev(1, 7)) return "/dev/full";
  return nullptr;
}

bool in_foreground(int fd) {
  pid_t group = 0;
  // Not our controlling terminal: no job control either.
  if (ioctl(fd, TIOCGPGRP, &group) != 0) return errno == ENOTTY;
  return group == getpgrp();
}

}  // namespace

InheritedFds::InheritedFds() {
  if (DIR* dir = opendir("/proc/self/fd"); dir != nullptr) {
    while (const dirent* e = readdir(dir)) {
      const int fd = atoi(e->d_name);
      if (e->d_name[0] != '.' && fd != dirfd(dir) && fd < MAX_INHERITED && usable(fd)) fds_.push_back(fd);
    }
    closedir(dir);
  }
  std::sort(fds_.begin(), fds_.end());
  for (int fd : {0, 1, 2}) {
    struct stat st {};
    if (terminal_ >= 0 || !std::binary_search(fds_.begin(), fds_.end(), fd) || !is_terminal(fd)) continue;
    terminal_ = fd;
    if (fstat(fd, &st) == 0) terminal_dev_ = st.st_rdev;
  }
  interactive_ = terminal_ == 0 && on_terminal(1);
}

bool InheritedFds::on_terminal(int fd) const {
  struct stat st {};
  return terminal_ >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == terminal_dev_;
}

void InheritedFds::release() {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd : fds_) {
    if (fd > 2)
      close(fd);
    else if (fd < 2)
      dup2(null, fd);
  }
  if (null > 2) close(null);
}

Console::Console(InheritedFds& fds) : fds_(fds) {
  Termios modes;
  if (fds_.terminal() >= 0 && ioctl(fds_.terminal(), TCGETS2, &modes) == 0)
    guard_ = std::make_unique<TerminalGuard>(fds_.terminal(), modes);
}

Console::~Console() { finish(); }

std::vector<Ref<File>> Console::open_files(HostPoller& poller, uint32_t uid, const OpenDevice& device) {
  if (const int fd = fds_.terminal(); fd >= 0) {
    HostTerminal::Setup setup;
    setup.eager = fds_.interactive();
    setup.uid = uid;
    // Job control of the host's shell: the descriptor may be replaced by then, /dev/tty is the terminal.
    const int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    setup.in_foreground = [own] { return in_foreground(own); };
    setup.background_read = [] { kill(0, SIGTTIN); };
    setup.switched = [this](bool raw) {
      host_terminal_is_raw = raw;
      raw ? guard_->engage() : guard_->release();
    };
    tty_ = std::make_unique<HostTerminal>(poller, fd, std::move(setup));
  }
  std::vector<Ref<File>> files(fds_.all().empty() ? 0 : static_cast<size_t>(fds_.all().back()) + 1);
  for (int fd : fds_.all()) {
    Ref<File>& file = files[static_cast<size_t>(fd)];
    if (fds_.on_terminal(fd)) {
      file = tty_->open(fcntl(fd, F_GETFL));
      continue;
    }
    if (const char* path = guest_device(fd); path != nullptr)
      file = device(path, fcntl(fd, F_GETFL) & O_ACCMODE);
    if (file) continue;
    Result<Ref<File>> stream = host_stream(poller, fd);
    if (!stream) start_error("cannot use descriptor {}: {}", fd, strerror(stream.code()));
    file = std::move(stream).value();
  }
  return files;
}

void Console::finish() {
  if (tty_) tty_->finish();
}

void host_message(const std::string& text) {
  const std::string line = "starryrun: " + text + (host_terminal_is_raw ? "\r\n" : "\n");
  (void)!write(2, line.data(), line.size());
}

}  // namespace starry
